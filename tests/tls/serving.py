"""A small TLS server in this process: one thread for each connection, which answers one request with what it knows."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.support.certs import Pair, Paths
from tests.support.clients import Address
from tlsrun.certificates.identity import Identity, IdentitySources, Source, load_identity
from tlsrun.renewal.reload import Certificates, identity_origin
from tlsrun.tls.origin import WatchedSource
from tlsrun.tls.policy import Policy

DEFAULT = Policy()
TLS12 = Policy(max_version="1.2")
TLS13 = Policy(min_version="1.3")


def sources(paths: Paths) -> IdentitySources:
    """The files of one pair, as the settings give them."""
    return IdentitySources(
        cert=Source(given_by="cert", path=paths.fullchain), key=Source(given_by="key", path=paths.key)
    )


def origin(paths: Paths) -> WatchedSource[Identity]:
    """The origin that reads these files."""
    return identity_origin(sources(paths))


def identity(pair: Pair) -> Identity:
    """A pair as an identity, from its text."""
    places = IdentitySources(
        cert=Source(given_by="cert", text=pair.fullchain_pem), key=Source(given_by="key", text=pair.key_pem)
    )
    return load_identity(places)


def certificates(paths: Paths, policy: Policy = DEFAULT, **more: object) -> Certificates:
    """What serves the files of one pair."""
    return Certificates([origin(paths)], policy, **more)  # type: ignore[arg-type]


def answer(tls: ssl.SSLSocket) -> None:
    """Read one request, answer with the SNI name, close."""
    with contextlib.suppress(OSError), contextlib.closing(tls):
        if b"\r\n\r\n" not in tls.recv(4096):
            return
        body = f"sni={getattr(tls, 'tls_sni', None)} client={bool(tls.getpeercert())}".encode()
        tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))
        tls.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def served(context: ssl.SSLContext) -> Iterator[Address]:
    """Serve with a wrapped listening socket, as Werkzeug does; yields the address."""
    plain = socket.create_server(("127.0.0.1", 0), backlog=512)
    address = plain.getsockname()
    with context.wrap_socket(plain, server_side=True) as listener:
        listener.settimeout(0.1)
        ending = threading.Event()
        thread = threading.Thread(target=_accept, args=(listener, ending))
        thread.start()
        try:
            yield address
        finally:
            ending.set()
            thread.join()


def _accept(listener: ssl.SSLSocket, ending: threading.Event) -> None:
    while not ending.is_set():
        try:
            tls, _ = listener.accept()
        except TimeoutError:
            continue
        tls.settimeout(None)
        threading.Thread(target=answer, args=(tls,), daemon=True).start()


def link(target: Path, name: Path) -> None:
    """Point a symbolic link to ``target`` by one rename, as certbot and Kubernetes do."""
    new = name.with_name(name.name + ".new")
    new.symlink_to(target)
    new.replace(name)

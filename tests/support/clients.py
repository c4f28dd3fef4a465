"""Clients: ports, HTTPS over Python's ssl, openssl, curl, and clients that stall on purpose."""

from __future__ import annotations

import contextlib
import email.message
import http.client
import os
import random
import select
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.process import PATIENCE, run

Address = tuple[str, int]

_given: set[int] = set()


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on, never the same twice in one run.

    It lies below the range that Linux takes for outgoing connections, so that no client of a flood grabs it
    between this call and the server's bind; nor does another process of the same run, which takes other numbers.
    """
    chooser = random.SystemRandom()
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for _ in range(200):
        port = chooser.randrange(15000, 32000 - count) // count * count + number
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
            if port not in _given:
                probe.bind((host, port))
                _given.add(port)
                return port
    raise AssertionError("no free port found")


@dataclass(frozen=True, kw_only=True)
class Tls:
    """What a client saw of the TLS connection; ``certificate`` is the server's leaf in DER."""

    version: str
    cipher: str
    certificate: bytes
    alpn: str | None
    reused: bool


@dataclass(frozen=True, kw_only=True)
class Response:
    """An HTTP answer, its body decoded from its framing, and the connection it came over."""

    status: int
    headers: email.message.Message
    body: bytes
    tls: Tls

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()


def client_context(ca: Path | None, *, cert: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """A client's context that trusts ``ca`` alone; with ``ca`` None it trusts anybody.

    Arguments:
        cert, key: the client's own certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(ca)
    if cert is not None:
        context.load_cert_chain(cert, key)
    return context


def tls_connect(
    address: Address,
    ca: Path | None,
    *,
    name: str = "localhost",
    context: ssl.SSLContext | None = None,
    session: ssl.SSLSession | None = None,
    timeout: float = PATIENCE,
) -> ssl.SSLSocket:
    """Connect and shake hands.

    Arguments:
        name: for SNI and verification.
        context: instead of ``client_context(ca)``; needed to resume a ``session`` of the same context.
        timeout: seconds for each later operation too.
    """
    used = context or client_context(ca)
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    # Wrapped before it connects: a connection that is reset while it is wrapped leaves a socket that nobody can close.
    tls = used.wrap_socket(socket.socket(family), server_hostname=name, session=session)
    try:
        tls.settimeout(timeout)
        tls.connect(address)
    except BaseException:
        tls.close()
        raise
    return tls


def facts(tls: ssl.SSLSocket) -> Tls:
    """What can be known about an open connection."""
    cipher = tls.cipher()
    return Tls(
        version=tls.version() or "",
        cipher=cipher[0] if cipher else "",
        certificate=tls.getpeercert(binary_form=True) or b"",
        alpn=tls.selected_alpn_protocol(),
        reused=bool(tls.session_reused),
    )


def https_get(
    url: str,
    ca: Path | None,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    address: Address | None = None,
    context: ssl.SSLContext | None = None,
    timeout: float = PATIENCE,
) -> Response:
    """One request over one new connection; redirects are not followed.

    Arguments:
        ca: the root to trust; None trusts anybody.
        address: where to connect, when the URL's host is a name for SNI alone.
        context: instead of one that trusts ``ca``.
        timeout: seconds for each operation of the socket.
    """
    parts = urllib.parse.urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    tls = tls_connect(address or (host, port), ca, name=host, context=context, timeout=timeout)
    with contextlib.closing(http.client.HTTPConnection(host, port, timeout=timeout)) as connection:
        connection.sock = tls
        seen = facts(tls)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body=body, headers=dict(headers or {}))
        with connection.getresponse() as answer:
            return Response(status=answer.status, headers=answer.headers, body=answer.read(), tls=seen)


@dataclass(frozen=True, kw_only=True)
class SClient:
    """What ``openssl s_client`` said.

    Arguments:
        output: its standard output: the connection's data, then what the server sent.
        errors: its standard error, the verification among it.
    """

    returncode: int
    output: str
    errors: str

    @property
    def verified(self) -> bool:
        """Whether it trusts the chain."""
        return "Verify return code: 0 (ok)" in self.output or "Verification: OK" in self.output

    @property
    def http(self) -> str:
        """The HTTP answer, from its status line on; empty when there was none."""
        _, found, answer = self.output.partition("HTTP/1.")
        return f"{found}{answer}"


def openssl_s_client(
    address: Address, ca: Path, *arguments: str, name: str = "localhost", path: str = "/", deadline: float = PATIENCE
) -> SClient:
    """GET ``path`` through ``openssl s_client``; further ``arguments`` are its own (``-tls1_2``, ``-alpn h2``)."""
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    done = run(
        ["openssl", "s_client", "-connect", f"{host}:{address[1]}", "-servername", name, "-CAfile", ca,
         "-verify_return_error", "-ign_eof", *arguments],
        input=f"GET {path} HTTP/1.1\r\nHost: {name}:{address[1]}\r\nConnection: close\r\n\r\n",
        deadline=deadline,
    )  # fmt: skip
    return SClient(returncode=done.returncode, output=done.stdout, errors=done.stderr)


@dataclass(frozen=True, kw_only=True)
class Curl:
    """What ``curl`` said; ``status`` is 0 when there was no answer, ``version`` the HTTP version."""

    returncode: int
    status: int
    version: str
    body: str
    errors: str


def curl(url: str, ca: Path, *arguments: str, deadline: float = PATIENCE) -> Curl:
    """Ask with curl; further ``arguments`` are its own (``--http2``, ``-d @file``, ``-H …``)."""
    done = run(
        ["curl", "-q", "-sS", "--noproxy", "*", "--cacert", ca, "-w", "\n%{http_code} %{http_version}",
         *arguments, url],
        deadline=deadline,
    )  # fmt: skip
    body, _, trailer = done.stdout.rpartition("\n")
    status, _, version = trailer.partition(" ")
    return Curl(returncode=done.returncode, status=int(status), version=version, body=body, errors=done.stderr)


def client_hello(name: str = "localhost") -> bytes:
    """The first bytes that a TLS client sends."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        client_context(None).wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


class Stalled:
    """Connections that stay as they are."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []

    def still_open(self) -> int:
        """How many the server has not closed yet; what it sent is read away."""
        return sum(not _closed_by_peer(one) for one in self.sockets)


@contextlib.contextmanager
def stalled(kind: str, n: int, address: Address, *, interval: float = 1.0) -> Iterator[Stalled]:
    """Hold ``n`` connections in a state that keeps a careless server busy.

    Arguments:
        kind: "silent" sends nothing; "half-hello" sends half a ClientHello; "drip" sends one byte of it every
            ``interval`` seconds; "half-head" finishes TLS and sends half a request head.
    """
    _allow_files(n + 256)
    crowd, stop = Stalled(), threading.Event()
    hello = client_hello()
    dripping = threading.Thread(target=_drip, args=(crowd, hello, interval, stop))
    try:
        for _ in range(n):
            crowd.sockets.append(_stall(kind, address, hello))
        if kind == "drip":
            dripping.start()
        yield crowd
    finally:
        stop.set()
        if dripping.ident is not None:
            dripping.join()
        for one in crowd.sockets:
            one.close()


def _stall(kind: str, address: Address, hello: bytes) -> socket.socket:
    if kind == "half-head":
        tls = tls_connect(address, None)
        tls.sendall(b"GET / HTTP/1.1\r\nHost: loc")
        return tls
    plain = socket.create_connection(address, timeout=PATIENCE)
    if kind == "half-hello":
        plain.sendall(hello[: len(hello) // 2])
    else:
        assert kind in ("silent", "drip"), kind
    return plain


def _drip(crowd: Stalled, hello: bytes, interval: float, stop: threading.Event) -> None:
    for position in range(len(hello)):
        for one in crowd.sockets:
            with contextlib.suppress(OSError):  # closed by the server, as it should
                one.send(hello[position : position + 1])
        if stop.wait(interval):
            return


def _closed_by_peer(one: socket.socket) -> bool:
    one.settimeout(0)
    try:
        while select_readable(one):
            if not one.recv(65536):
                return True
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    return False


def select_readable(one: socket.socket, timeout: float = 0) -> bool:
    """Whether ``one`` has something to read (or its end) within ``timeout`` seconds."""
    poller = select.poll()
    poller.register(one, select.POLLIN)
    return bool(poller.poll(timeout * 1000))


def _allow_files(wanted: int) -> None:
    """Raise this process's limit of open files to ``wanted`` when it is lower, as far as it may."""
    import resource  # late: a program that is made to look like one on Windows imports this module, too

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))

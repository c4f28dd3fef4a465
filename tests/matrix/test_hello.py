"""A ClientHello as large as one with a hybrid key share (X25519MLKEM768), cut anywhere, under every server."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.certs import Paths
from tests.support.clients import client_context, openssl_s_client
from tests.support.process import APPLICATIONS, run
from tests.support.servers import ALL_SERVERS, need
from tests.support.sites import Site, serving

#: One with the hybrid share has about as many bytes; where OpenSSL has none, names of protocols make up for it.
LARGE = 1500


@pytest.fixture(params=ALL_SERVERS, scope="module")
def site(request: pytest.FixtureRequest, ca_file: Path, localhost_cert: Paths) -> Iterator[Site]:
    """One for all tests of this file, under each server."""
    need(request.param)
    with serving(request.param, ca_file, localhost_cert)() as running:
        yield running


class Client:
    """A client whose bytes are sent as its owner wants them."""

    def __init__(self, site: Site) -> None:
        context = client_context(site.ca)
        names = ["http/1.1"]
        while True:
            context.set_alpn_protocols(names)
            self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.tls = context.wrap_bio(self._in, self._out, server_hostname="localhost")
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
            self.hello = self._out.read()
            if len(self.hello) > LARGE:
                break
            names.append(f"x-filler-{len(names)}-" + "x" * 200)
        self.sock = socket.create_connection(site.address, timeout=20)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, parts: Sequence[bytes]) -> None:
        """Each by itself: the first ones with a pause between, so that the server reads them one by one."""
        beat = threading.Event()
        for number, part in enumerate(parts):
            if 0 < number < 200:  # a handshake has ten seconds, on a busy machine too
                beat.wait(0.002)
            self.sock.sendall(part)

    def get(self) -> bytes:
        """Shake hands to the end, and ask for a page: the first line of the answer."""
        self._until(self.tls.do_handshake)
        self.tls.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        self.sock.sendall(self._out.read())
        answer = self._until(lambda: self.tls.read(65536))
        return bytes(answer).partition(b"\r\n")[0]

    def _until(self, step: object) -> object:
        while True:
            try:
                done = step()  # type: ignore[operator]
            except ssl.SSLWantReadError:
                if self._out.pending:
                    self.sock.sendall(self._out.read())
                data = self.sock.recv(65536)
                assert data, "the server has closed the connection"
                self._in.write(data)
            else:
                if self._out.pending:
                    self.sock.sendall(self._out.read())
                return done


@contextlib.contextmanager
def connected(site: Site) -> Iterator[Client]:
    """Connected, and nothing is sent."""
    made = Client(site)
    with made.sock:
        yield made


def in_pieces(hello: bytes, size: int) -> list[bytes]:
    """As many as it takes."""
    return [hello[at : at + size] for at in range(0, len(hello), size)]


@pytest.mark.parametrize("size", [1, 7, 100, 1460])
def test_in_pieces(site: Site, size: int) -> None:
    """One byte at a time, too."""
    with connected(site) as made:
        made.send(in_pieces(made.hello, size))
        assert made.get() == b"HTTP/1.1 200 OK"


def test_cut_anywhere(site: Site) -> None:
    """In two: within the record's header, the message's, the names and the key shares, and before the last byte."""
    for at in (*range(1, 12), *range(43, LARGE, 97), -1):
        with connected(site) as made:
            made.send([made.hello[:at], made.hello[at:]])
            assert made.get() == b"HTTP/1.1 200 OK", at


def test_the_hybrid_group_is_spoken(site: Site) -> None:
    """Where OpenSSL has it (3.5 and later), by servers whose TLS is Python's; it is preferred."""
    if ssl.OPENSSL_VERSION_INFO < (3, 5):
        pytest.skip("this OpenSSL has no X25519MLKEM768")
    if site.name == "granian":
        pytest.skip("its TLS is not OpenSSL's")
    with connected(site) as made:
        assert len(made.hello) > LARGE
    seen = openssl_s_client(site.address, site.ca, "-tls1_3", "-groups", "X25519MLKEM768")
    assert seen.verified, seen.output
    assert "Negotiated TLS1.3 group: X25519MLKEM768" in openssl_s_client(site.address, site.ca, "-tls1_3").output


@pytest.mark.parametrize("groups", [("X25519MLKEM768",), ("X25519", "secp384r1")], ids=["hybrid", "several"])
def test_groups_where_python_can_set_them(groups: tuple[str, ...], ca_file: Path, localhost_cert: Paths) -> None:
    """From Python 3.15 on they are in force, in their order; before, one line says what this Python can."""
    flags = [word for group in groups for word in ("--groups", group)]
    if hasattr(ssl.SSLContext, "set_groups") and (ssl.OPENSSL_VERSION_INFO >= (3, 5) or "X25519" in groups):
        with serving("builtin", ca_file, localhost_cert)(*flags) as site:
            for group in groups:
                assert openssl_s_client(site.address, site.ca, "-tls1_3", "-groups", group).verified
            assert "handshake failure" in openssl_s_client(site.address, site.ca, "-groups", "prime256v1").errors
        return
    command = [sys.executable, "-m", "tlsrun", "run", f"{APPLICATIONS}/connection.py:app", "--port", "0", *flags]
    done = run([*command, "--cert", localhost_cert.fullchain, "--key", localhost_cert.key])
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error:")]
    if not hasattr(ssl.SSLContext, "set_groups"):
        assert "--groups" in line
        assert "from Python 3.15 on" in line

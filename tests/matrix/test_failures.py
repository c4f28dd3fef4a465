"""A failed handshake is one line in the log: who, and why in words."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from collections.abc import Callable, Iterator

import pytest

from tests.support.clients import client_hello, openssl_s_client, tls_connect
from tests.support.process import eventually
from tests.support.sites import Serve, Site


@pytest.fixture(scope="module")
def site(serve_all: Serve) -> Iterator[Site]:
    """One site for all of them."""
    with serve_all("--handshake-timeout", "2") as running:
        yield running


def failures(site: Site) -> list[tuple[str, str]]:
    """Each failed handshake that was logged: the client's port, and why."""
    return re.findall(r"tlsrun\.handshake: handshake with 127\.0\.0\.1:(\d+) failed: (.*)", site.server.log())


#: So many lines in ten seconds are written by each process that shakes hands; the others are counted.
LIMIT = 10


def _said(site: Site, known: int) -> str:
    """Why the one handshake failed that failed since ``known`` were known."""
    eventually(lambda: len(failures(site)) > known, what="a line in the log")
    *before, (_, why) = failures(site)
    assert len(before) == known, failures(site)
    return why


def _openssl(*arguments: str) -> Callable[[Site], None]:
    return lambda site: _refused_by(openssl_s_client(site.address, site.ca, *arguments).returncode)


def _refused_by(code: int) -> None:
    assert code != 0


def _does_not_trust_us(site: Site, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> None:
    """As a browser that does not know the authority: OpenSSL tells why by an alert."""
    context = ssl.create_default_context()
    context.maximum_version = version
    with pytest.raises(ssl.SSLCertVerificationError):
        tls_connect(site.address, None, context=context)


def _closes(site: Site) -> None:
    with socket.create_connection(site.address) as plain:
        plain.sendall(client_hello()[:40])


def _speaks_http(site: Site) -> None:
    with socket.create_connection(site.address, timeout=60) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while plain.recv(4096):
            pass


def _speaks_ssh(site: Site) -> None:
    with socket.create_connection(site.address, timeout=60) as plain:
        plain.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        with contextlib.suppress(ConnectionError):
            assert plain.recv(4096) == b""


def _dawdles(site: Site) -> None:
    with socket.create_connection(site.address, timeout=60) as plain:
        plain.sendall(client_hello()[:40])
        with contextlib.suppress(ConnectionError):
            assert plain.recv(4096) == b""


def _asks_for_an_unreadable_name(site: Site) -> None:
    with socket.create_connection(site.address, timeout=60) as plain:
        plain.sendall(client_hello("localhost").replace(b"localhost", b"\xffocalhost"))
        with contextlib.suppress(ConnectionError):
            assert plain.recv(4096)[:1] == b"\x15"  # an alert


AGED = "ALL:@SECLEVEL=0"

CLIENTS: dict[str, tuple[Callable[[Site], None], str]] = {
    "TLS 1.1": (_openssl("-tls1_1", "-cipher", AGED), "client offered only TLS 1.1"),
    "TLS 1.0": (_openssl("-tls1", "-cipher", AGED), "client offered only TLS 1.0"),
    "CBC": (_openssl("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:AES128-SHA"), "no common cipher"),
    "no trust in 1.2": (
        lambda site: _does_not_trust_us(site, ssl.TLSVersion.TLSv1_2),
        "unknown CA: the client does not trust our certificate",
    ),
    "no trust": (_does_not_trust_us, "the client does not trust our certificate"),
    "closed": (_closes, "client closed"),
    "slow": (_dawdles, "timed out after 2 s"),
    "name": (_asks_for_an_unreadable_name, "no certificate for the name"),
    "http": (_speaks_http, "plain HTTP on the HTTPS port"),
    "ssh": (_speaks_ssh, "not TLS"),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_the_reason_in_words(site: Site, client: str) -> None:
    """One line with the peer and the reason; the page is there for the next client."""
    fail, words = CLIENTS[client]
    known = len(failures(site))
    fail(site)
    assert words in _said(site, known)
    assert site.get().status == 200
    assert "Traceback" not in site.server.log()


@pytest.mark.representatives("")
@pytest.mark.slow
def test_a_flood_of_them_does_not_flood_the_log(site: Site) -> None:
    """Of 100 that fail at once few are written, one by one; the others are counted."""
    known = len(failures(site))
    for _ in range(100):
        _closes(site)
    eventually(lambda: re.search(r"\d+ more failed handshakes in the last", site.server.log()), what="the number")
    processes = {"builtin": 1, "gunicorn": 2, "uwsgi": 1, "hypercorn": 2}[site.name]
    assert len(failures(site)) - known <= 2 * LIMIT * processes

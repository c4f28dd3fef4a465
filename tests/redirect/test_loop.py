"""The loop behind the plain-HTTP port: slow, silent, noisy and too many clients, and what it logs."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proxies.test_proxy_protocol import GOOD
from tests.support.clients import client_hello, select_readable, stalled
from tests.support.process import eventually, in_time
from tests.tls.visiting import REQUEST, Response, Running, listening, make_webroot
from tlsrun.proxies.peers import read_peers


@pytest.fixture
def server() -> Iterator[Running]:
    with listening() as running:
        yield running


def answered_within(server: Running, seconds: float) -> None:
    assert in_time(lambda: server.ask("/"), seconds).status == 308


def test_500_silent_clients_stop_nobody(server: Running) -> None:
    """500 clients that say nothing and 50 that drip do not keep a visitor waiting."""
    address = (server.host, server.port)
    with stalled("silent", 450, address) as silent, stalled("silent", 50, address) as dripping:
        for byte in REQUEST[:5]:
            for one in dripping.sockets:
                one.sendall(bytes([byte]))
            answered_within(server, 1)
        assert silent.still_open() + dripping.still_open() == 500


def test_silent_client_is_closed_at_the_deadline() -> None:
    """Who says nothing is closed without a word; who begins and drips is told 408. Neither stretches it."""
    with (
        listening(head_timeout=1.0) as server,
        server.connect() as silent,
        server.connect() as dripping,
    ):
        began = time.monotonic()
        data = iter(b"GET / HTTP/1.1\r\nHost: example.org\r\n" + b"X: y\r\n" * 300)
        while not select_readable(dripping, 0.1):
            dripping.send(bytes([next(data)]))
        assert 0.8 < time.monotonic() - began < 8
        assert dripping.recv(65536).startswith(b"HTTP/1.1 408 ")
        assert silent.recv(1) == b""
        # It goes on to drip and never closes: it is closed.
        eventually(lambda: _refused(dripping))


def _refused(client: socket.socket) -> bool:
    try:
        client.send(b"x")
    except OSError:
        return True
    return False


def test_oldest_makes_room(caplog: pytest.LogCaptureFixture) -> None:
    """When there are too many clients the first one is dropped, and the log says so once."""
    with (
        listening(max_connections=8) as server,
        stalled("silent", 20, (server.host, server.port)) as crowd,
    ):
        answered_within(server, 1)
        eventually(lambda: crowd.still_open() <= 8)
        assert crowd.still_open() >= 6
        assert not crowd.sockets[0].recv(1)
        assert crowd.still_open() > 0
    lines = [record.getMessage() for record in caplog.records if record.name == "tlsrun.redirect"]
    assert len(lines) == 1
    assert "was dropped, it came first and there are 8 connections" in lines[0]


@pytest.mark.parametrize(
    "noise",
    [client_hello(), b"SSH-2.0-OpenSSH_9.0\r\n", b"\x00" * 100, b"hello there\r\n", b"GET /\r\n", b"x" * 100],
    ids=["ClientHello", "SSH", "NUL", "words", "HTTP/0.9", "letters"],
)
def test_noise_is_closed_at_once(server: Running, noise: bytes) -> None:
    """TLS, other protocols and noise are closed without a word, long before the deadline."""
    assert in_time(lambda: server.say(noise), 1) == b""


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"GET /" + b"x" * 20000, 414),
     (b"GET / HTTP/1.1\r\nHost: example.org\r\nX: " + b"y" * 20000 + b"\r\n\r\n", 431),
     (b"GET / HTTP/1.1\r\nHost: example.org\r\n" + b"X: y\r\n" * 3000, 431)],
)  # fmt: skip
def test_head_is_bounded(server: Running, data: bytes, status: int) -> None:
    """A head of more than 16 KiB is refused in words."""
    assert Response.of(server.say(data)).status == status


def test_head_within_the_limit_is_answered(server: Running) -> None:
    """A head of nearly 16 KiB, most of it the path, is redirected."""
    target = "/" + '"' * 16000
    answer = server.ask(target)
    assert answer.location == f"https://example.org{target}"


@pytest.mark.parametrize("header", [header for header, _ in GOOD])
def test_introduced(header: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A trusted proxy's PROXY header is taken, whole, in bytes, and with nothing behind it; nobody else's is."""
    with listening(proxy_protocol_peers=read_peers(["127.0.0.1"], "here")) as server:
        assert Response.of(server.say(header + REQUEST)).status == 308
        assert Response.of(server.say(header + b"\r\n" + REQUEST)).status == 308
        assert Response.of(server.say(REQUEST)).status == 308  # a check, which speaks for itself
        with server.connect() as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in header + REQUEST:
                client.send(bytes([byte]))
            assert client.recv(65536).startswith(b"HTTP/1.1 308 ")
        with server.connect() as looked:
            looked.sendall(header)
            looked.shutdown(socket.SHUT_WR)
            assert looked.recv(1) == b""
    with listening(proxy_protocol_peers=read_peers(["192.0.2.1"], "here")) as server:
        assert server.say(header + REQUEST) == b""
    assert caplog.text == ""


def test_introduced_clients_are_named(caplog: pytest.LogCaptureFixture) -> None:
    """The log has the client's address, not the proxy's."""
    with (
        listening(proxy_protocol_peers=read_peers(["127.0.0.1"], "here")) as server,
        caplog.at_level("INFO", "tlsrun.redirect"),
    ):
        request = b"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n"
        answer = server.say(b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n" + request)
        assert Response.of(answer).status == 421
    assert "192.0.2.7:4711: not redirected" in caplog.text


def test_request_in_single_bytes(server: Running) -> None:
    """A head that comes byte by byte is the same head."""
    with server.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in REQUEST:
            client.send(bytes([byte]))
        assert client.recv(65536).startswith(b"HTTP/1.1 308 ")


@contextlib.contextmanager
def no_more_descriptors() -> Iterator[None]:
    """This process can open no more files than it has open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_descriptors_the_oldest_makes_room(caplog: pytest.LogCaptureFixture) -> None:
    """A process that can open no more files drops its oldest client, and says so."""
    with listening() as server, contextlib.ExitStack() as stack:
        victims = [stack.enter_context(server.connect()) for _ in range(4)]
        held = stack.enter_context(server.connect())
        late = stack.enter_context(socket.socket())
        held.sendall(REQUEST)
        assert held.recv(65536)  # so all of them were accepted
        with no_more_descriptors():
            late.settimeout(60)
            late.connect((server.host, server.port))
            late.sendall(REQUEST)
            assert late.recv(65536).startswith(b"HTTP/1.1 308 ")
        assert victims[0].recv(1) == b""
    assert "it came first and accept() said: Too many open files" in caplog.text


def test_without_descriptors_it_waits(caplog: pytest.LogCaptureFixture) -> None:
    """With nobody to drop it does not spin: it says so, and answers when files can be opened again."""
    with listening() as server, socket.socket() as late:
        late.settimeout(60)
        with no_more_descriptors():
            late.connect((server.host, server.port))
            late.sendall(REQUEST)
            eventually(lambda: "no connection can be accepted for 1 s: Too many open files" in caplog.text)
            began = time.process_time()
            assert not select_readable(late, 0.5)
            assert time.process_time() - began < 0.2
        assert late.recv(65536).startswith(b"HTTP/1.1 308 ")


def test_log_is_quiet_and_bounded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Redirects write nothing; odd things one line of a kind, with the peer, what and where."""
    caplog.set_level(logging.INFO, "tlsrun.redirect")
    webroot = make_webroot(tmp_path)
    with listening(webroot) as server:
        for _ in range(3):
            server.ask("/")
            server.ask("/", "evil.org")
            server.ask("/.well-known/acme-challenge/escape", "new.example.net")
            server.say(b"\x16\x03\x01")
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert [level for level, _ in lines] == ["INFO", "WARNING"]
    assert re.fullmatch(r"127\.0\.0\.1:\d+: not redirected: evil\.org is not a host that is served", lines[0][1])
    assert f"{webroot}/.well-known/acme-challenge/escape is a link that leads out" in lines[1][1]
    assert not any(record.exc_info for record in caplog.records)


def test_failing_allowed_takes_down_one_request(caplog: pytest.LogCaptureFixture) -> None:
    """An error in what decides on hosts costs that request, no traceback, and nobody else's."""

    def allowed(host: str) -> bool:
        if host == "bad.test":
            raise RuntimeError("no names\nyet")
        return True

    with listening(allowed=allowed) as server:
        assert server.say(REQUEST.replace(b"example.org", b"bad.test")) == b""
        assert server.ask("/", "good.test").status == 308
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert caplog.records[0].exc_info is None
    assert "\n" not in caplog.records[0].getMessage()

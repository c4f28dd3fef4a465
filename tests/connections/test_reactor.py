"""The reactor under clients that ask, stall, drip, speak HTTP, pipeline, and never leave."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.connections.reacting import ANSWER, GET, Site, reacting
from tests.support.certs import Paths
from tests.support.clients import client_hello, select_readable, stalled, tls_connect
from tests.support.process import eventually
from tlsrun.connections.handshake import HandshakeLog
from tlsrun.connections.stages import ConnectionLimits

QUICK = ConnectionLimits(handshake_timeout=1, head_timeout=1, patience=5, linger=1)


@pytest.fixture
def site(localhost_cert: Paths) -> Iterator[Site]:
    """A reactor with room for everybody."""
    with reacting(localhost_cert) as running:
        yield running


@pytest.fixture
def quick(localhost_cert: Paths) -> Iterator[Site]:
    """One whose clients have a second."""
    with reacting(localhost_cert, QUICK) as running:
        yield running


def _ended(client: socket.socket, within: float) -> bool:
    """Whether the server ends the connection in time; what it sends is read away."""
    deadline = time.monotonic() + within
    try:
        while (left := deadline - time.monotonic()) > 0 and select_readable(client, left):
            if not client.recv(65536):
                return True
    except ssl.SSLWantReadError:
        return False
    except OSError:
        return True
    return False


def test_a_whole_head_is_delivered_with_nothing_lost(site: Site, ca_file: Path) -> None:
    """What the reactor read is what the server reads, and the rest of the body after it."""
    with tls_connect(site.address, ca_file) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc")
        connection = site.next()
        client.sendall(b"def")
        read = b""
        while not read.endswith(b"def"):
            read += connection.sock.recv(7)
        assert read == b"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabcdef"
        connection.sock.sendall(ANSWER)
        assert client.recv(1000) == ANSWER
        site.reactor.dismiss(connection)


class _Client:
    """A client whose Finished and request come together; it sees what comes in one packet."""

    def __init__(self, site: Site, ca: Path) -> None:
        self._sock = socket.create_connection(site.address, timeout=30)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=str(ca))
        self._tls = context.wrap_bio(self._in, self._out, server_hostname="localhost")
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        self._sock.sendall(self._out.read())
        while self._out.pending == 0:
            self._in.write(self._sock.recv(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                self._tls.do_handshake()

    def finish(self, request: bytes = b"") -> None:
        """Send the last flight, and a request with it."""
        if request:
            self._tls.write(request)
        self._sock.sendall(self._out.read())

    def has_something(self) -> bool:
        """Whether anything has come."""
        return select_readable(self._sock, 0)

    def one_packet(self) -> bytes:
        """What can be read of what comes first."""
        self._in.write(self._sock.recv(65536))
        with contextlib.suppress(ssl.SSLWantReadError):
            return self._tls.read(65536)
        return b""

    def close(self) -> None:
        """As a socket's."""
        self._sock.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="Linux alone gathers what is written")
def test_session_tickets_come_with_the_answer(site: Site, ca_file: Path) -> None:
    """Where the request came with the end of the handshake: one packet, and one time that the client wakes."""
    together = 0
    for _ in range(5):  # the kernel waits for 200 ms, which a busy machine may need for itself
        with contextlib.closing(_Client(site, ca_file)) as client:
            client.finish(GET)
            connection = site.next()
            nothing_yet = not client.has_something()
            connection.sock.sendall(ANSWER)
            together += nothing_yet and client.one_packet() == ANSWER
            site.reactor.dismiss(connection)
    assert together


@pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="Linux alone gathers what is written")
@pytest.mark.parametrize("reads", [False, True])
def test_nothing_is_gathered_while_the_client_is_waited_for(site: Site, ca_file: Path, reads: bool) -> None:
    """Neither for its request, nor for the rest of it, which an announcement may have asked for."""
    with contextlib.closing(_Client(site, ca_file)) as client:
        client.finish(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n" if reads else b"")
        if reads:
            connection = site.next()
            connection.sock.settimeout(0.1)
            connection.sock.recv(1000)
            with pytest.raises(TimeoutError):
                connection.sock.recv(1000)
        else:
            assert site.nothing_comes()
            (connection,) = site.reactor._snapshot()
        assert connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK) == 0
        if reads:
            site.reactor.dismiss(connection)


def test_half_a_head_waits_for_the_rest(site: Site, ca_file: Path) -> None:
    """Nothing is delivered before the blank line, however it is cut."""
    with tls_connect(site.address, ca_file) as client:
        client.sendall(GET[:-3])
        assert site.nothing_comes()
        client.sendall(GET[-3:-1])
        assert site.nothing_comes()
        client.sendall(GET[-1:])
        connection = site.next()
        assert connection.sock.recv(1000) == GET
        site.reactor.dismiss(connection)


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\nHost: x\n\n", b"GET / HTTP/1.1\r\nHost: x\n\r\n"])
def test_a_head_with_bare_line_feeds_is_delivered(site: Site, ca_file: Path, head: bytes) -> None:
    """The server refuses it; it must not wait for a better one."""
    with tls_connect(site.address, ca_file) as client:
        client.sendall(head)
        connection = site.next()
        assert connection.sock.recv(1000) == head
        site.reactor.dismiss(connection)


def test_a_head_without_end_is_delivered_at_its_limit(localhost_cert: Paths, ca_file: Path) -> None:
    """The server says in words that it is too large."""
    with (
        reacting(localhost_cert, ConnectionLimits(max_head=1000)) as site,
        tls_connect(site.address, ca_file) as client,
    ):
        client.sendall(b"GET /" + b"x" * 900)
        assert site.nothing_comes()
        client.sendall(b"x" * 200)
        site.reactor.dismiss(site.next())


@pytest.mark.parametrize("kind", ["silent", "half-hello"])
def test_a_stalled_handshake_ends_at_its_deadline(quick: Site, ca_file: Path, kind: str) -> None:
    """And costs nobody else anything."""
    with stalled(kind, 20, quick.address) as crowd:
        with tls_connect(quick.address, ca_file) as client:
            client.sendall(GET)
            quick.reactor.dismiss(quick.next())
        eventually(lambda: crowd.still_open() == 0, 8)


def test_dripping_does_not_stretch_the_handshake(quick: Site) -> None:
    """One deadline for the whole of it."""
    with stalled("drip", 3, quick.address, interval=0.2) as crowd:
        eventually(lambda: crowd.still_open() == 0, 8)


def test_a_stalled_head_ends_at_its_deadline(quick: Site) -> None:
    """Also when it drips."""
    with stalled("half-head", 2, quick.address) as crowd:
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 8 and crowd.still_open():
                crowd.sockets[0].settimeout(1)
                crowd.sockets[0].send(b"a")
                select.select([], [], [], 0.2)
        eventually(lambda: crowd.still_open() == 0)
        assert time.monotonic() - began < 8


def test_failures_are_logged_in_words(
    quick: Site, ca_file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line each, with the peer."""
    monkeypatch.setattr("tlsrun.connections.arrival.FAILURES", HandshakeLog())  # other tests have filled the window
    with caplog.at_level("INFO", "tlsrun.handshake"):
        with stalled("silent", 1, quick.address), stalled("half-hello", 1, quick.address):
            eventually(lambda: caplog.text.count("timed out after 1 s") == 2)
        with pytest.raises(ssl.SSLCertVerificationError), tls_connect(quick.address, ca_file, name="other.test"):
            pass
        with socket.create_connection(quick.address) as client:
            client.sendall(b"\0\1\2\3")
            assert _ended(client, 30)
        eventually(lambda: caplog.text.count("failed:") >= 4)
    assert "timed out after 1 s, without a byte" in caplog.text
    assert "certificate" in caplog.text
    assert "not TLS (it began with 00 01 02 03)" in caplog.text
    assert caplog.text.count("handshake with 127.0.0.1:") == 4
    assert "Traceback" not in caplog.text


def test_plain_http_is_sent_to_https(site: Site) -> None:
    """In words, also when it comes in pieces."""
    with socket.create_connection(site.address, timeout=60) as client:
        for piece in (b"GE", b"T /a HTTP/1.1\r\nHo", b"st: localhost:1\r\n\r\n"):
            client.sendall(piece)
            select.select([], [], [], 0.05)
        answer = b""
        while part := client.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 301 ")
    assert b"\r\nLocation: https://localhost:1/a\r\n" in answer


def test_a_parked_connection_is_delivered_again(site: Site, ca_file: Path) -> None:
    """Once its next head is whole; a client that was kept alive and leaves is nobody's loss."""
    with tls_connect(site.address, ca_file) as client:
        client.sendall(GET)
        connection = site.next()
        for _ in range(3):
            connection.sock.recv(1000)
            connection.sock.sendall(ANSWER)
            site.reactor.park(connection, 5)
            assert client.recv(1000) == ANSWER
            client.sendall(GET[:10])
            assert site.nothing_comes(0.1)
            client.sendall(GET[10:])
            assert site.next() is connection
        connection.sock.recv(1000)
        site.reactor.park(connection, 5)
    eventually(lambda: site.reactor.coming == 0)


def test_a_parked_connection_ends_when_it_stays_idle(site: Site, ca_file: Path) -> None:
    """With a close_notify."""
    with tls_connect(site.address, ca_file) as client:
        client.sendall(GET)
        connection = site.next()
        connection.sock.recv(1000)
        site.reactor.park(connection, 0.1)
        client.settimeout(60)
        assert client.recv(100) == b""
        client.unwrap()


def test_pipelined_requests_come_one_by_one(site: Site, ca_file: Path) -> None:
    """What was read beyond a request is given back, and counts for the next."""
    with tls_connect(site.address, ca_file) as client:
        client.sendall(GET * 2 + GET[:20])
        connection = site.next()
        connection.sock.unread(connection.sock.recv(1000)[len(GET) :])
        site.reactor.park(connection, 5)
        assert site.next() is connection
        connection.sock.unread(connection.sock.recv(1000)[len(GET) :])
        site.reactor.park(connection, 5)
        assert site.nothing_comes(0.1)
        client.sendall(GET[20:])
        assert site.next().sock.recv(1000) == GET
        site.reactor.dismiss(connection)


def test_decrypted_bytes_are_not_forgotten(site: Site, ca_file: Path) -> None:
    """A request in one record with the end of the body before it wakes nobody; it is looked for at the parking."""
    with tls_connect(site.address, ca_file) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\n")
        connection = site.next()
        connection.sock.recv(1000)
        client.sendall(b"abcdef" + GET)
        assert connection.sock.recv(6) == b"abcdef"
        site.reactor.park(connection, 5)
        assert site.next().sock.recv(1000) == GET
        site.reactor.dismiss(connection)


def test_new_connections_wait_while_there_is_no_room_for_requests(localhost_cert: Paths, ca_file: Path) -> None:
    """They are for other processes; this one takes them when a request has ended."""
    with reacting(localhost_cert, capacity=1) as site, tls_connect(site.address, ca_file) as first:
        first.sendall(GET)
        connection = site.next()
        with socket.create_connection(site.address, timeout=60) as second:
            second.sendall(client_hello())
            assert not select_readable(second, 0.3)
            site.reactor.dismiss(connection)
            assert select_readable(second, 60)


def test_the_oldest_makes_room(
    localhost_cert: Paths, ca_file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crowd that stalls never keeps a new client out, and the log says what happens."""
    monkeypatch.setattr("tlsrun.connections.arrival.FAILURES", HandshakeLog())
    caplog.set_level("INFO", "tlsrun.handshake")
    with reacting(localhost_cert, max_waiting=10) as site, stalled("half-hello", 10, site.address) as crowd:
        eventually(lambda: site.reactor.coming == 10)
        with tls_connect(site.address, ca_file) as client:
            client.sendall(GET)
            site.reactor.dismiss(site.next())
        assert _ended(crowd.sockets[0], 30)
        assert crowd.still_open() == 9
    assert "failed: it gave way to newer connections" in caplog.text


def test_goodbye_is_said_and_unread_input_resets_nothing(site: Site, ca_file: Path) -> None:
    """The whole answer arrives, with a close_notify, though the client has sent what nobody read."""
    body = b"z" * 300_000
    with tls_connect(site.address, ca_file) as client:
        client.sendall(GET + b"unread" * 1000)
        connection = site.next()
        connection.sock.sendall(ANSWER[:-2] + body)
        site.reactor.dismiss(connection)
        client.sendall(b"more" * 1000)
        got = b""
        while part := client.recv(65536):
            got += part
        assert got.endswith(body)
        client.unwrap()


def test_a_client_that_never_leaves_is_cut_off(quick: Site, ca_file: Path) -> None:
    """And nobody waits for it."""
    with tls_connect(quick.address, ca_file) as client:
        client.sendall(GET)
        connection = quick.next()
        began = time.monotonic()
        quick.reactor.dismiss(connection)
        assert time.monotonic() - began < 3
        assert quick.reactor.leaving == 1
        eventually(lambda: quick.reactor.leaving == 0)


def test_stopping_takes_no_new_client_and_keeps_the_others(site: Site, ca_file: Path) -> None:
    """What had begun may still ask."""
    with tls_connect(site.address, ca_file) as client:
        eventually(lambda: site.reactor.coming == 1)
        site.reactor.stop_accepting()
        with socket.create_connection(site.address, timeout=60) as late:
            late.sendall(client_hello())
            assert not select_readable(late, 0.3)
        client.sendall(GET)
        site.reactor.dismiss(site.next())


def test_who_is_taken_while_a_worker_stops_is_not_lost(localhost_cert: Paths, ca_file: Path) -> None:
    """The thread that takes connections is in accept() when another asks whether any is left."""
    begun, go_on = threading.Event(), threading.Event()

    class Slow:
        def __init__(self, listener: socket.socket) -> None:
            self._listener = listener

        def __getattr__(self, name: str) -> Any:
            return getattr(self._listener, name)

        def accept(self) -> Any:
            begun.set()
            assert go_on.wait(60)
            return self._listener.accept()

    listener = Slow(socket.create_server(("127.0.0.1", 0)))
    with reacting(localhost_cert, listener=listener) as site, ThreadPoolExecutor(1) as pool:
        shaking = pool.submit(tls_connect, site.address, ca_file)
        assert begun.wait(60)
        site.reactor.stop_accepting()
        assert site.reactor.busy
        go_on.set()
        with shaking.result(60) as client:
            assert site.reactor.busy
            client.sendall(GET)
            site.reactor.dismiss(site.next())
        eventually(lambda: not site.reactor.busy)


def test_hurry_shortens_what_waits(site: Site) -> None:
    """For a server that stops."""
    with stalled("half-hello", 3, site.address) as crowd:
        eventually(lambda: site.reactor.coming == 3)
        site.reactor.hurry(0)
        eventually(lambda: crowd.still_open() == 0)

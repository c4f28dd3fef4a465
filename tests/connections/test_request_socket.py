"""Sockets that were read ahead, wait for nobody for ever, and put a response's head and body into one record."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.connections.reacting import ANSWER, GET, Site, reacting
from tests.support.certs import Paths
from tests.support.clients import tls_connect
from tests.support.process import eventually
from tlsrun.connections.request_socket import RequestSocket
from tlsrun.connections.stages import ConnectionLimits

HEAD = ANSWER[:-2]


@pytest.fixture
def site(localhost_cert: Paths) -> Iterator[Site]:
    """A server that is patient for a second."""
    with reacting(localhost_cert, ConnectionLimits(patience=1)) as running:
        yield running


@pytest.fixture
def ends(site: Site, ca_file: Path) -> Iterator[tuple[RequestSocket, socket.socket]]:
    """The two ends of a connection whose request was delivered and not read."""
    with tls_connect(site.address, ca_file) as client:
        client.sendall(GET)
        connection = site.next()
        yield connection.sock, client
        site.reactor.dismiss(connection)


def test_reads_take_what_was_read_ahead_first(ends: tuple[RequestSocket, socket.socket]) -> None:
    """In any size, into any buffer, and `pending` says so."""
    server, client = ends
    assert server.pending() == len(GET)
    buffer = bytearray(4)
    assert server.recv_into(buffer) == 4
    assert bytes(buffer) == GET[:4]
    assert server.recv(2) == GET[4:6]
    assert server.pending() == len(GET) - 6
    assert server.recv(1000) == GET[6:]
    client.sendall(b"x")
    assert server.recv(1000) == b"x"
    assert server.pending() == 0


def test_a_client_that_sends_nothing_has_gone(ends: tuple[RequestSocket, socket.socket]) -> None:
    """After ``patience`` seconds, as a reset, which servers log quietly."""
    server, _ = ends
    server.recv(1000)
    began = time.monotonic()
    with pytest.raises(ConnectionResetError, match="sent too little in 1 s"):
        server.recv(1000)
    assert 0.9 < time.monotonic() - began < 8


def _read_for_ever(server: socket.socket) -> None:
    while server.recv(1):
        pass


def test_a_client_that_drips_has_gone_too(ends: tuple[RequestSocket, socket.socket]) -> None:
    """One byte in time does not buy another second."""
    server, client = ends
    server.recv(1000)
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.2):
            client.send(b"x")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        began = time.monotonic()
        with pytest.raises(ConnectionResetError):
            _read_for_ever(server)
        assert time.monotonic() - began < 10
    finally:
        stop.set()
        thread.join()


def test_the_time_of_the_application_is_not_the_clients(ends: tuple[RequestSocket, socket.socket]) -> None:
    """Only waiting counts."""
    server, client = ends
    server.recv(1000)
    for _ in range(3):
        select.select([], [], [], 0.5)
        client.sendall(b"x" * 100)
        assert server.recv(1000) == b"x" * 100


def test_a_client_that_reads_nothing_has_gone(ends: tuple[RequestSocket, socket.socket]) -> None:
    """So a thread that answers it is free again."""
    server, _ = ends
    began = time.monotonic()
    with pytest.raises(ConnectionResetError, match="read too little in 1 s"):
        server.sendall(b"x" * 50_000_000)
    assert time.monotonic() - began < 20


def test_a_slow_reader_gets_it_all(ends: tuple[RequestSocket, socket.socket]) -> None:
    """However often the buffers are full."""
    server, client = ends
    body = bytes(range(256)) * 40_000
    sender = threading.Thread(target=server.sendall, args=(body,))
    sender.start()
    got = bytearray()
    while len(got) < len(body):
        if len(got) % 7 == 0:
            select.select([], [], [], 0.001)
        got += client.recv(65536)
    sender.join()
    assert got == body


def test_a_time_out_of_the_servers_own_is_a_time_out(ends: tuple[RequestSocket, socket.socket]) -> None:
    """As with any socket."""
    server, _ = ends
    server.recv(1000)
    server.settimeout(0.1)
    assert server.gettimeout() == 0.1
    with pytest.raises(TimeoutError):
        server.recv(1)
    server.setblocking(False)
    assert not server.getblocking()
    with pytest.raises(ssl.SSLWantReadError):
        server.recv(1)


def test_head_and_body_share_a_record(ends: tuple[RequestSocket, socket.socket]) -> None:
    """The head of a response waits for the first of its body."""
    server, client = ends
    server.sendall(HEAD)
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.recv(1000)
    server.sendall(b"ok")
    assert client.recv(1000) == ANSWER


def test_a_head_alone_is_flushed(ends: tuple[RequestSocket, socket.socket]) -> None:
    """By `flush`, by other data, and before the server waits for the client."""
    server, client = ends
    server.sendall(HEAD)
    server.flush()
    assert client.recv(1000) == HEAD
    server.sendall(HEAD)
    server.send(b"o")
    assert client.recv(len(HEAD)) == HEAD
    assert client.recv(1) == b"o"
    server.recv(1000)
    server.sendall(HEAD)
    server.settimeout(0.1)
    with pytest.raises(TimeoutError):
        server.recv(1)
    assert client.recv(1000) == HEAD


@pytest.mark.parametrize("head", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"])
def test_an_announcement_does_not_wait(ends: tuple[RequestSocket, socket.socket], head: bytes) -> None:
    """1xx responses are for now."""
    server, client = ends
    server.sendall(head)
    assert client.recv(1000) == head


def test_a_large_body_follows_its_head(ends: tuple[RequestSocket, socket.socket]) -> None:
    """In order."""
    server, client = ends
    server.sendall(HEAD)
    server.sendall(b"x" * 100_000)
    got = b""
    while len(got) < len(HEAD) + 100_000:
        got += client.recv(65536)
    assert got == HEAD + b"x" * 100_000


def test_after_a_shutdown_nothing_is_waited_for(ends: tuple[RequestSocket, socket.socket]) -> None:
    """A server that lingers by itself, reading until the end, finds the end at once."""
    server, client = ends
    server.sendall(HEAD)
    server.shutdown(socket.SHUT_WR)
    assert server.recv(1000) == b""
    assert client.recv(1000) == HEAD
    assert client.recv(1000) == b""
    server.close()


USES: dict[str, Callable[[RequestSocket], object]] = {
    "recv": lambda sock: sock.recv(1000),
    "recv_into": lambda sock: sock.recv_into(bytearray(1000)),
    "read": lambda sock: sock.read(1000),
    "write": lambda sock: sock.write(b"data"),
    "send": lambda sock: sock.send(b"data"),
    "sendall": lambda sock: sock.sendall(b"data"),
    "wait_for_bytes": lambda sock: sock.wait_for_bytes(0.1),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("end", ["close", "farewell"])
def test_a_closed_socket_is_as_everybodys(ends: tuple[RequestSocket, socket.socket], use: str, end: str) -> None:
    """OSError, or the end of the stream; no ValueError, which is an error of the program to whoever reads."""
    server, _ = ends
    server.setblocking(True)
    server.recv(1000)
    getattr(server, end)()
    with contextlib.suppress(OSError):
        assert USES[use](server) in (b"", 0, False)


@pytest.mark.parametrize("end", [RequestSocket.close, RequestSocket.farewell, RequestSocket.abort])
def test_a_socket_that_is_closed_while_somebody_reads(
    ends: tuple[RequestSocket, socket.socket], end: Callable[[RequestSocket], None]
) -> None:
    """As WebSockets are: the thread that waits for the client hears of it in the same way."""
    server, client = ends
    server.setblocking(True)
    server.recv(1000)
    heard: list[object] = []

    def read() -> None:
        try:
            heard.append(server.recv(1000))
        except Exception as error:
            heard.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    eventually(lambda: _is_waiting(thread), what="a thread that waits")
    end(server)
    client.close()
    thread.join()
    assert heard == [b""] or isinstance(heard[0], OSError), heard


def _is_waiting(thread: threading.Thread) -> bool:
    return Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rpartition(")")[2].split()[0] == "S"

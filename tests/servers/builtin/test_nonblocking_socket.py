"""A socket that implements its timeouts itself behaves like any other."""

from __future__ import annotations

import fcntl
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.support.certs import Paths
from tests.tls.serving import certificates
from tlsrun.servers.builtin.nonblocking_socket import NonblockingSocket

_Pair: TypeAlias = tuple[NonblockingSocket, ssl.SSLSocket]


@pytest.fixture(name="pair")
def _pair(localhost_cert: Paths, ca_file: Path) -> Iterator[_Pair]:
    """Both ends of a connection after the handshake."""
    context = certificates(localhost_cert).context
    context.sslsocket_class = NonblockingSocket
    with socket.create_server(("127.0.0.1", 0)) as listener:
        plain = socket.create_connection(listener.getsockname(), timeout=10)
        accepted, _ = listener.accept()
    server = context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
    assert isinstance(server, NonblockingSocket)
    thread = threading.Thread(target=server.do_handshake)
    thread.start()
    client = ssl.create_default_context(cafile=ca_file).wrap_socket(plain, server_hostname="localhost")
    thread.join()
    with server, client:
        yield server, client


def test_never_blocks_to_the_system(pair: _Pair) -> None:
    """The descriptor stays non-blocking whatever timeout is set; the getters return what was set."""
    server, _ = pair
    for seconds in (None, 3.0, 0.0):
        server.settimeout(seconds)
        assert server.gettimeout() == seconds
        assert server.getblocking() == (seconds != 0)
        assert fcntl.fcntl(server, fcntl.F_GETFL) & os.O_NONBLOCK


def test_time_is_bounded(pair: _Pair) -> None:
    """Reading and writing time out when the client sends, or receives, nothing."""
    server, _ = pair
    server.settimeout(0.2)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        server.recv(1)
    with pytest.raises(TimeoutError):
        server.sendall(b"x" * 50_000_000)
    assert 0.4 <= time.monotonic() - began < 5


def test_without_time(pair: _Pair) -> None:
    """With a timeout of 0 it raises as a non-blocking ssl.SSLSocket does."""
    server, _ = pair
    server.setblocking(False)
    with pytest.raises(ssl.SSLWantReadError):
        server.recv(1)
    with pytest.raises(ssl.SSLWantWriteError):
        server.sendall(b"x" * 50_000_000)


def test_waits_for_what_comes_late(pair: _Pair) -> None:
    """A waiting reader gets data that arrives in the meantime."""
    server, client = pair
    server.settimeout(10)
    timer = threading.Timer(0.1, client.sendall, (b"late",))
    timer.start()
    assert server.recv(100) == b"late"
    timer.join()


def test_read_at_once(pair: _Pair) -> None:
    """None without data, then what has arrived, then b"" at the end."""
    server, client = pair
    assert server.read_at_once(100) is None
    client.sendall(b"here")
    assert server.wait_for_bytes(5)
    assert server.read_at_once(100) == b"here"
    client.shutdown(socket.SHUT_WR)
    assert server.wait_for_bytes(5)
    assert server.read_at_once(100) == b""


def test_not_after_a_stop(pair: _Pair) -> None:
    """OpenSSL must not see the end of file made by `stop_reading`: it would not send close_notify any more."""
    server, client = pair
    server.stop_reading()
    assert server.read_at_once(100) is None
    server.close()
    assert client.recv(1) == b""


def test_lingers(pair: _Pair) -> None:
    """`linger` waits below TLS too: until the client closes, and no longer."""
    server, client = pair
    server.shutdown(socket.SHUT_WR)
    began = time.monotonic()
    timer = threading.Timer(0.2, client.close)
    timer.start()
    server.linger(5)
    assert 0.1 < time.monotonic() - began < 4
    timer.join()


@pytest.mark.parametrize("read", ["read_at_once", "recv"])
def test_stop_while_openssl_reads(read: str, pair: _Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client gets close_notify even if `stop_reading` is called while OpenSSL reads."""
    server, client = pair
    client.suppress_ragged_eofs = False
    read_by_openssl = ssl.SSLSocket.read

    def stopped_meanwhile(sock: ssl.SSLSocket, *arguments: int) -> object:
        if sock is server:
            server.stop_reading("the server stops")
        return read_by_openssl(sock, *arguments)

    monkeypatch.setattr(ssl.SSLSocket, "read", stopped_meanwhile)
    server.settimeout(10)
    if read == "recv":
        with pytest.raises(ConnectionResetError):
            server.recv(100)
    else:
        assert server.read_at_once(100) is None
    assert not server.wait_for_bytes(10)
    server.shutdown(socket.SHUT_WR)
    assert client.recv(100) == b""


def test_what_came_before_the_stop(pair: _Pair) -> None:
    """Data that arrived before `stop_reading` is read, then ConnectionResetError is raised."""
    server, client = pair
    client.suppress_ragged_eofs = False
    client.sendall(b"before")
    assert server.wait_for_bytes(10)
    server.stop_reading("the server stops")
    server.settimeout(10)
    assert server.recv(100) == b"before"
    with pytest.raises(ConnectionResetError):
        server.recv(100)
    server.shutdown(socket.SHUT_WR)
    assert client.recv(100) == b""

"""The listener that gives connections which are ready to answer."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certs import Paths
from tests.support.clients import Address, select_readable, stalled, tls_connect
from tests.support.process import eventually, in_time
from tests.tls.reacting import ANSWER, GET
from tests.tls.serving import certificates
from tlsrun.tls.connection import Limits
from tlsrun.tls.listener import TLSListener


@pytest.fixture
def listener(localhost_cert: Paths) -> Iterator[TLSListener]:
    """One that runs."""
    limits = Limits(handshake_timeout=2, head_timeout=2, patience=2, linger=1)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0), backlog=200)) as plain:
        running = TLSListener(plain, certificates(localhost_cert).context, limits=limits)
        running.start()
        yield running
        running.close()


def _answer(listener: TLSListener, timeout: float = 60) -> None:
    """What a server of one request at a time does."""
    assert select.select([listener], [], [], timeout)[0]
    sock, address = listener.accept()
    sock.setblocking(True)
    assert address[0] == "127.0.0.1"
    assert sock.recv(1000) == GET
    sock.sendall(ANSWER)
    sock.shutdown(socket.SHUT_WR)
    sock.close()


def _address(listener: TLSListener) -> Address:
    address: Address = listener.getsockname()
    return address


def test_it_is_readable_when_a_request_is_there(listener: TLSListener, ca_file: Path) -> None:
    """And not before; accept() never waits."""
    with pytest.raises(BlockingIOError):
        listener.accept()
    with tls_connect(_address(listener), ca_file) as client:
        client.sendall(GET[:20])
        assert not select.select([listener], [], [], 0.3)[0]
        client.sendall(GET[20:])
        _answer(listener)
        assert client.recv(1000) == ANSWER
        assert client.recv(1000) == b""
        client.unwrap()
    assert not select.select([listener], [], [], 0)[0]


def test_a_crowd_that_stalls_delays_nobody(listener: TLSListener, ca_file: Path) -> None:
    """The server is asked for ready ones only."""

    def ask() -> None:
        with tls_connect(_address(listener), ca_file) as client:
            client.sendall(GET)
            _answer(listener)
            assert client.recv(1000) == ANSWER

    with stalled("half-hello", 100, _address(listener)):
        in_time(ask, 1)


def test_while_a_request_runs_new_clients_are_for_others(listener: TLSListener, ca_file: Path) -> None:
    """A server that asks again is ready again."""
    with tls_connect(_address(listener), ca_file) as client:
        client.sendall(GET)
        assert select.select([listener], [], [], 60)[0]
        sock, _ = listener.accept()
        with socket.create_connection(_address(listener), timeout=60) as other:
            other.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert not select_readable(other, 0.3)
            sock.close()
            with pytest.raises(BlockingIOError):
                listener.accept()
            assert select_readable(other, 60)


def test_drain_gives_what_had_begun(listener: TLSListener, ca_file: Path) -> None:
    """And ends when nothing is left, or the time is over."""
    with tls_connect(_address(listener), ca_file) as client:
        client.sendall(GET[:20])
        listener.stop_accept()
        began = time.monotonic()
        draining = listener.drain(30)
        client.sendall(GET[20:])
        sock, _ = next(draining)
        assert sock.recv(1000) == GET
        sock.close()
        assert list(draining) == []
        assert time.monotonic() - began < 10


def test_drain_does_not_wait_for_those_who_stall(listener: TLSListener) -> None:
    """Not longer than it was told."""
    with stalled("half-hello", 5, _address(listener)) as crowd:
        assert not select.select([listener], [], [], 0.3)[0]
        listener.stop_accept()
        began = time.monotonic()
        assert list(listener.drain(0.3)) == []
        assert time.monotonic() - began < 2
        listener.close()
        assert crowd.still_open() == 0


def test_a_dead_thread_is_not_silence(listener: TLSListener, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server learns that nothing will come any more."""
    listener.close()
    listener._ending = False
    with pytest.raises(RuntimeError, match="has died"):
        listener.accept()


def test_a_bell_that_rings_late(listener: TLSListener, ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes a connection before its bell has rung is woken for nothing once, and does not turn in place."""
    ring = listener._ring
    monkeypatch.setattr(listener, "_ring", lambda: None)
    with tls_connect(_address(listener), ca_file) as client:
        client.sendall(GET)
        eventually(lambda: listener._ready)
        sock, _ = listener.accept()
        ring()
        assert select.select([listener], [], [], 0)[0]
        with pytest.raises(BlockingIOError):
            listener.accept()
        assert not select.select([listener], [], [], 0)[0]
        sock.close()


def test_two_that_are_ready_at_once(listener: TLSListener, ca_file: Path) -> None:
    """A server that asks once each time it is woken hears of both."""
    with tls_connect(_address(listener), ca_file) as one, tls_connect(_address(listener), ca_file) as other:
        for client in (one, other):
            client.sendall(GET)
        eventually(lambda: len(listener._ready) == 2)
        for _ in range(2):
            _answer(listener, 10)
        assert [client.recv(1000) for client in (one, other)] == [ANSWER, ANSWER]

"""The listener that gives connections which are ready to answer."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.connections.reacting import ANSWER, GET
from tests.support.certs import Paths
from tests.support.clients import Address, select_readable, stalled, tls_connect
from tests.support.process import eventually, in_time
from tests.tls.serving import certificates
from tlsrun.connections.stages import ConnectionLimits
from tlsrun.threads.listener import TLSListener

_LIMITS = ConnectionLimits(handshake_timeout=2, head_timeout=2, patience=2, linger=1)
#: As long as a failure would have to wait.
_LONG = 60.0


@contextlib.contextmanager
def _listening(files: Paths, *, patience: float = _LONG, alarm: int | None = None) -> Iterator[TLSListener]:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0), backlog=200)) as plain:
        context = certificates(files).context
        running = TLSListener([plain], context, limits=_LIMITS, patience=patience, alarm=alarm)
        running.start()
        try:
            yield running
        finally:
            running.close()


@pytest.fixture
def listener(localhost_cert: Paths) -> Iterator[TLSListener]:
    """One that runs, and is patient."""
    with _listening(localhost_cert) as running:
        yield running


@pytest.fixture
def hasty(localhost_cert: Paths) -> Iterator[TLSListener]:
    """One that waits a moment only."""
    with _listening(localhost_cert, patience=0.2) as running:
        yield running


@contextlib.contextmanager
def _client(listener: TLSListener, ca_file: Path, sends: bytes = GET) -> Iterator[ssl.SSLSocket]:
    """A client that has sent so much of a request, as far as the listener is asked for connections."""
    with ThreadPoolExecutor(1) as pool:
        shaking = pool.submit(tls_connect, _address(listener), ca_file)
        while not shaking.done():
            with contextlib.suppress(BlockingIOError):
                listener._reactor.step(0.1)
        with shaking.result() as client:
            client.sendall(sends)
            yield client


def _ask(stack: contextlib.ExitStack, address: Address, ca_file: Path) -> None:
    stack.enter_context(tls_connect(address, ca_file)).sendall(GET)


def _answer(listener: TLSListener) -> None:
    """What a server of one request at a time does."""
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


def test_what_it_gives_has_a_whole_head(hasty: TLSListener, ca_file: Path) -> None:
    """Before that, asking ends without one when the patience does."""
    with pytest.raises(BlockingIOError):
        hasty.accept()
    with _client(hasty, ca_file, GET[:20]) as client:
        with pytest.raises(BlockingIOError):
            hasty.accept()
        client.sendall(GET[20:])
        _answer(hasty)
        assert client.recv(1000) == ANSWER
        assert client.recv(1000) == b""
        client.unwrap()


def test_a_crowd_that_stalls_delays_nobody(listener: TLSListener, ca_file: Path) -> None:
    """The server is given ready ones only."""

    def ask() -> None:
        with _client(listener, ca_file) as client:
            _answer(listener)
            assert client.recv(1000) == ANSWER

    with stalled("half-hello", 100, _address(listener)):
        in_time(ask, 1)


def test_while_a_request_runs_new_clients_are_for_others(listener: TLSListener, ca_file: Path) -> None:
    """A server that asks again is ready again."""
    with _client(listener, ca_file):
        sock, _ = listener.accept()
        with socket.create_connection(_address(listener), timeout=60) as other:
            other.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert not select_readable(other, 0.3)
            sock.close()
            listener._patience = 1.0
            with pytest.raises(BlockingIOError):
                listener.accept()
            assert select_readable(other, 60)


def test_a_long_request_does_not_keep_the_others(listener: TLSListener, ca_file: Path) -> None:
    """Those who had come before shake hands, are told goodbye and time out meanwhile."""
    with socket.create_connection(_address(listener), timeout=60) as silent:
        listener._reactor.step(_LONG)
        with _client(listener, ca_file):
            sock, _ = listener.accept()
            # Nobody asks, and the deadline of two seconds passes.
            assert silent.recv(1) == b""
            sock.close()
            eventually(lambda: not listener._reactor.coming)


def test_the_request_after_a_long_one(listener: TLSListener, ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has moved the others on is woken, and gives the loop back."""
    monkeypatch.setattr("tlsrun.connections.reactor._TICK", 300.0)
    monkeypatch.setattr("tlsrun.threads.listener._STEP", 300.0)
    with _client(listener, ca_file, GET[:20]) as other, _client(listener, ca_file) as one:
        sock, _ = listener.accept()
        eventually(listener._stepping.locked)
        sock.close()
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(_answer, listener)
            # Else what wakes would be this client.
            eventually(lambda: not listener._turn)
            other.sendall(GET[20:])
            waiting.result(30)
        assert other.recv(1000) == ANSWER
        assert one.recv(1000) == b""


def test_many_that_are_ready_do_not_keep_the_others(
    listener: TLSListener, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two of them, the others are moved on."""
    monkeypatch.setattr("tlsrun.threads.listener._PATIENCE", 0.0)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(_client(listener, ca_file, GET[:20])) for _ in range(3)]
        for client in clients[:2]:
            client.sendall(GET[20:])
        eventually(lambda: listener._reactor.step(0.1) or len(listener._ready) == 2)
        clients[2].sendall(GET[20:])
        assert select.select([listener._reactor._poller._epoll], [], [], 60)[0]
        _answer(listener)
        assert len(listener._ready) == 2
        for _ in range(2):
            _answer(listener)
        assert [client.recv(1000) for client in clients] == 3 * [ANSWER]


def test_the_monitor_sleeps_while_nothing_happens(listener: TLSListener, ca_file: Path) -> None:
    """An idle worker wakes nobody."""
    with _client(listener, ca_file):
        _answer(listener)
        assert listener._monitor._awake
        listener._patience = 0.0
        with pytest.raises(BlockingIOError):
            listener.accept()
        eventually(lambda: not listener._monitor._awake)


def test_an_alarm_ends_the_waiting(localhost_cert: Paths) -> None:
    """A server that is told to end while it waits does so, and is asked once."""
    ear, bell = os.pipe()
    os.set_blocking(ear, False)
    with os.fdopen(ear, "rb"), os.fdopen(bell, "wb"), _listening(localhost_cert, alarm=ear) as listener:
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(listener.accept)
            os.write(bell, b"1")
            assert isinstance(waiting.exception(30), BlockingIOError)
        assert not select.select([ear], [], [], 0)[0]


def test_two_places(localhost_cert: Paths, ca_file: Path) -> None:
    """The server learns where each connection came in."""
    with (
        contextlib.closing(socket.create_server(("127.0.0.1", 0))) as one,
        contextlib.closing(socket.create_server(("127.0.0.1", 0))) as two,
        contextlib.closing(
            TLSListener([one, two], certificates(localhost_cert).context, limits=_LIMITS, patience=_LONG)
        ) as both,
    ):
        both.start()
        for place in (two, one):
            with ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as stack:
                pool.submit(_ask, stack, place.getsockname(), ca_file)
                both.accept()[0].close()
                assert both.getsockname() == place.getsockname()


def test_drain_gives_what_had_begun(listener: TLSListener, ca_file: Path) -> None:
    """And ends when nothing is left, or the time is over."""
    with _client(listener, ca_file, GET[:20]) as client:
        listener.stop_accept()
        began = time.monotonic()
        beats: list[float] = []
        draining = listener.drain(30, lambda: beats.append(time.monotonic()))
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(next, draining)
            # Who waits for a slow client says all the time that it lives.
            eventually(lambda: len(beats) > 3)
            client.sendall(GET[20:])
            sock, _ = waiting.result(30)
        assert sock.recv(1000) == GET
        sock.close()
        assert list(draining) == []
        assert time.monotonic() - began < 10


def test_drain_does_not_wait_for_those_who_stall(hasty: TLSListener) -> None:
    """Not longer than it was told."""
    with stalled("half-hello", 5, _address(hasty)) as crowd:
        with pytest.raises(BlockingIOError):
            hasty.accept()
        hasty.stop_accept()
        assert in_time(lambda: list(hasty.drain(0.3)), 2) == []
        hasty.close()
        assert crowd.still_open() == 0


def test_a_dead_monitor_is_not_silence(listener: TLSListener, monkeypatch: pytest.MonkeyPatch, ca_file: Path) -> None:
    """A server learns that nothing will come any more."""
    with _client(listener, ca_file):
        sock, _ = listener.accept()

        def fail(seconds: float) -> None:
            raise OSError("bad descriptor")

        monkeypatch.setattr(listener._reactor, "step", fail)
        listener._monitor._thread.join(60)
        monkeypatch.undo()
        sock.close()
        with pytest.raises(RuntimeError, match="has died"):
            listener.accept()
    listener._monitor.error = None


def test_two_that_are_ready_at_once(listener: TLSListener, ca_file: Path) -> None:
    """A server that asks once for each hears of both."""
    with _client(listener, ca_file, GET[:20]) as one, _client(listener, ca_file, GET[:20]) as other:
        for client in (one, other):
            client.sendall(GET[20:])
        for _ in range(2):
            _answer(listener)
        assert [client.recv(1000) for client in (one, other)] == [ANSWER, ANSWER]

"""The life of an edge: it starts, serves, stops without a loss; and what it logs."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import ssl
import threading
from pathlib import Path

import pytest

import tlsrun.edge.loop
from tests.edge.conftest import LOOPS, EdgeMaker, RunningEdge, Workers
from tests.edge.speaking import Talk
from tests.edge.worker import odd_worker
from tests.support.certs import Paths
from tests.support.process import eventually
from tlsrun.edge.limits import EdgeLimits
from tlsrun.edge.loop import serve
from tlsrun.edge.server import Edge

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("number", _SIGNALS)
def test_stop(edge_with: EdgeMaker, loop: str, number: int) -> None:
    """A signal ends idle connections cleanly and at once, lets requests finish, takes no more, and returns."""
    with edge_with(loop=loop) as edge:
        with edge.talk() as idle, edge.talk() as busy, edge.talk() as sending:
            assert idle.get().status == 200
            busy.ask("/slow?1.5")
            sending.ask("/digest", "Content-Length: 10000000", method="POST", body=b"x" * 5000000)
            busy.ask("/hello")
            edge.server.signal(number)
            assert idle.end() == "notified"
            eventually(lambda: _refused(edge))
            sending.send(b"x" * 5000000)
            answer = sending.answer()
            assert answer.words.startswith("10000000 ")
            assert answer.header("connection") == "close"
            answer = busy.answer()
            assert (answer.words, answer.header("connection")) == ("slept", "close")
            assert busy.end() == "notified"
        assert edge.server.wait(15) == 0
        assert "test returned" in edge.server.log()


def _refused(edge: RunningEdge) -> bool:
    try:
        socket.create_connection(edge.address, timeout=60).close()
    except ConnectionRefusedError:
        return True
    return False


def test_stop_serves_those_who_have_just_come(edge_with: EdgeMaker) -> None:
    """A client that has connected, and has not said what it wants, is still served once, if it does so in a second."""

    def served() -> bool:
        with edge_with() as edge:
            with socket.create_connection(edge.address), edge.talk() as shaken:
                edge.server.signal(signal.SIGTERM)
                eventually(lambda: _refused(edge))
                try:
                    answer = shaken.get()
                except (EOFError, OSError):
                    return False
                assert answer.header("connection") == "close"
            assert edge.server.wait() == 0
        return True

    assert any(served() for _ in range(5))  # this side may be late on a busy machine


def test_stop_has_an_end(edge_with: EdgeMaker) -> None:
    """What is not finished within the grace is cut off, and said."""
    with edge_with(limits={"grace": 1}) as edge:
        with edge.talk() as talk:
            talk.ask("/slow?5")
            edge.server.signal(signal.SIGTERM)
            assert talk.end() in ("cut off", "reset")
        assert edge.server.wait(15) == 0
        assert "1 connections were cut off after 1 s" in edge.server.log()


def test_silent_clients_do_not_delay_a_stop(edge_with: EdgeMaker) -> None:
    """Clients that say nothing have a second."""
    with edge_with() as edge:
        plain = [socket.create_connection(edge.address) for _ in range(5)]
        with edge.talk() as talk:
            assert talk.get().status == 200
        edge.server.signal(signal.SIGTERM)
        assert edge.server.wait(15) == 0
        for one in plain:
            one.close()


@pytest.mark.parametrize("loop", LOOPS)
def test_in_a_thread(
    workers: Workers, localhost_cert: Paths, ca_file: Path, loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere than in the main thread it is stopped by `Edge.stop`; TCP_NODELAY is set on what it accepts."""
    if loop == "asyncio":
        monkeypatch.setattr(tlsrun.edge.loop, "is_installed", lambda module: False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(localhost_cert.fullchain, localhost_cert.key)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    address = listener.getsockname()
    ready: list[Edge] = []
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}

    def run() -> None:
        serve([listener], context, upstream=str(workers.path), limits=EdgeLimits(), on_ready=ready.append)

    thread = threading.Thread(target=run)
    thread.start()
    edge = eventually(lambda: ready and ready[0])
    assert isinstance(edge, Edge)
    try:
        with Talk(address, ca_file) as talk:
            assert talk.get().words == "hello"
            (client,) = edge.shared.connections
            accepted = client._transport.get_extra_info("socket")
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert not edge.shared._idle.keys() - edge.shared.connections
            edge.stop()
            assert talk.end() == "notified"
    finally:
        edge.stop()
        thread.join(60)
    assert not thread.is_alive()
    assert not edge.shared.connections
    assert listener.fileno() == -1
    assert {number: signal.getsignal(number) for number in _SIGNALS} == handlers
    edge.stop()


def test_access_log(edge_with: EdgeMaker) -> None:
    """The access log has a line for each request, with its end; without it there is none."""
    with edge_with(access_log=True) as edge:
        with edge.talk() as talk:
            talk.get("/status?404")
            talk.get("/hello?a=%22", method="HEAD")
            talk.ask("/short?0.2")
            talk._until(b"hello")
            assert talk.end() == "cut off"
        with edge.talk() as talk:
            talk.send(b"nonsense\r\n\r\n")
            talk.answer()

        def logged() -> list[str]:
            return [line for line in edge.server.log().splitlines() if "tlsrun.edge.access" in line]

        eventually(lambda: len(logged()) >= 4)
        lines = logged()
        start = r"INFO tlsrun\.edge\.access 127\.0\.0\.1:\d+ "
        expected = [
            r'"GET /status\?404 HTTP/1\.1" 404 \d+\.\d{3} s', r'"HEAD /hello\?a=%22 HTTP/1\.1" 200 \d+\.\d{3} s',
            r'"GET /short\?0\.2 HTTP/1\.1" broke off \d+\.\d{3} s', r'"-" 400',
        ]  # fmt: skip
        assert len(lines) == len(expected)
        for line, pattern in zip(lines, expected, strict=True):
            assert re.fullmatch(start + pattern, line), line


def test_no_access_log(edge: RunningEdge) -> None:
    """There is none by default."""
    with edge.talk() as talk:
        talk.get()
    assert "tlsrun.edge.access" not in edge.server.log()


def test_a_failing_fact_costs_one_connection(
    localhost_cert: Paths, ca_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An error in the facts ends that connection, is logged, and others are served."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(localhost_cert.fullchain, localhost_cert.key)
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    ready: list[Edge] = []
    asked: list[ssl.SSLObject] = []

    def facts(tls: ssl.SSLObject) -> dict[str, str]:
        asked.append(tls)
        if len(asked) == 1:
            raise RuntimeError("no facts today")
        return {}

    with odd_worker(b"HTTP/1.1 200 OK\r\n\r\nok") as worker:
        thread = threading.Thread(
            target=serve, args=([listener], context),
            kwargs={"upstream": str(worker.path), "facts": facts, "on_ready": ready.append},
        )  # fmt: skip
        thread.start()
        edge = eventually(lambda: ready and ready[0])
        assert isinstance(edge, Edge)
        try:
            with Talk(address, ca_file) as talk, pytest.raises((EOFError, OSError)):
                talk.get()
            with Talk(address, ca_file) as talk:
                assert talk.get().words == "ok"
                assert talk.get().words == "ok"
            assert len(asked) == 2
        finally:
            edge.stop()
            thread.join(60)
    assert "no facts today" in caplog.text


def test_descriptors_suffice() -> None:
    """More connections than there are descriptors for are never asked for."""
    from tlsrun.edge.shared import _room_for

    assert _room_for(10) == 10
    assert _room_for(1 << 40) < 1 << 40


def test_limits_are_checked() -> None:
    """A limit that is no limit is refused."""
    for wrong in ({"pipelined": -1}, {"body": -1}, {"idle_timeout": -1.0}, {"variables": 65536}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            EdgeLimits(**wrong)  # type: ignore[arg-type]
    assert EdgeLimits(body=0, progress=0).body == 0


def test_lost_errors_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """What nobody catches in the loop is logged with its traceback."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(tlsrun.edge.loop._report)
    loop.call_soon(lambda: 1 / 0)
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    assert "ZeroDivisionError" in caplog.text

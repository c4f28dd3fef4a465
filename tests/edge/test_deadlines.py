"""Nobody can take longer than he may: handshakes, heads, bodies, answers, idle connections."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.edge.conftest import LOOPS, EdgeMaker, RunningEdge
from tests.support.clients import select_readable, stalled
from tests.support.process import eventually, in_time


@pytest.fixture(scope="module", params=LOOPS)
def hasty(request: pytest.FixtureRequest, edge_with: EdgeMaker) -> Iterator[RunningEdge]:
    """An edge with short times."""
    limits = {
        "head_timeout": 0.8, "body_timeout": 0.8, "idle_timeout": 0.6, "write_timeout": 0.8, "linger_timeout": 0.6,
        "progress": 1000, "drained": 1 << 20,
    }  # fmt: skip
    with edge_with(loop=request.param, limits=limits, handshake_timeout=0.8) as running:
        yield running


def test_idle(hasty: RunningEdge) -> None:
    """An idle connection is closed with close_notify, a new one that says nothing as well."""
    with hasty.talk() as talk:
        began = time.monotonic()
        assert talk.get().status == 200
        assert talk.end() == "notified"
        assert 0.5 < time.monotonic() - began < 8
    with hasty.talk() as talk:
        assert talk.end() == "notified"


def test_head(hasty: RunningEdge) -> None:
    """Half a head is answered with 408 in words, on a new connection and on a kept one."""
    with hasty.talk() as talk:
        talk.send(b"GET / HT")
        answer = talk.answer()
        assert answer.status == 408
        assert "headers took longer than 0.8 s" in answer.words
        assert talk.end() == "notified"
    assert any(_refused_late(hasty) for _ in range(5))


def _refused_late(hasty: RunningEdge) -> bool:
    """Whether half a head on a kept connection is answered with 408; not, when this side was too slow to send it."""
    with hasty.talk() as talk, contextlib.suppress(OSError, EOFError):
        assert talk.get().status == 200
        talk.send(b"GET / HTTP/1.1\r\nHost: x\r\n")
        assert talk.answer().status == 408
        assert talk.end() == "notified"
        return True
    return False


def test_dripped_head(hasty: RunningEdge) -> None:
    """A head that comes byte by byte does not stretch its deadline."""
    began = time.monotonic()
    with hasty.talk() as talk:
        head = b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 1000
        for at in range(len(head)):
            talk.send(head[at : at + 1])
            if select_readable(talk.tls, 0.2):
                break
        assert talk.answer().status == 408
    assert time.monotonic() - began < 10


@pytest.mark.representatives
@pytest.mark.parametrize("framing", ["Content-Length: 5000", "Transfer-Encoding: chunked", "Content-Length: 10000000"])
def test_body(hasty: RunningEdge, framing: str) -> None:
    """A body that stalls is answered with 408 in words, one that trickles too."""
    for trickle in (False, True):
        with hasty.talk() as talk:
            began = time.monotonic()
            talk.ask("/digest", framing, method="POST")
            while trickle and not select_readable(talk.tls, 0.2) and time.monotonic() - began < 10:
                talk.send(b"1\r\nx\r\n" if "chunked" in framing else b"x")
            answer = talk.answer()
            assert answer.status == 408
            assert "stalled for 0.8 s" in answer.words
            assert talk.end() == "notified"
            assert time.monotonic() - began < 10


def test_slow_body_is_no_stall(hasty: RunningEdge) -> None:
    """A body that comes slowly but steadily is waited for."""
    assert any(_steadily_sent(hasty) for _ in range(5))  # this side may be slower on a busy machine


def _steadily_sent(hasty: RunningEdge) -> bool:
    with hasty.talk() as talk, contextlib.suppress(OSError):
        talk.ask("/digest", "Content-Length: 30000", method="POST")
        for _ in range(10):
            talk.send(b"x" * 3000)
            select_readable(talk.tls, 0.2)
        return talk.answer().words.startswith("30000 ")
    return False


def test_slow_application_is_no_stall(hasty: RunningEdge) -> None:
    """The client's deadlines do not run while the application works."""
    with hasty.talk() as talk:
        assert talk.get("/slow?1.5").words == "slept"


def test_reader(hasty: RunningEdge) -> None:
    """A client that takes nothing of its answer is cut off, and the worker is free again."""
    with hasty.talk(receive_buffer=8192) as talk:
        talk.ask("/size?100000000")
        began = time.monotonic()
        talk.read(1000)
        select_readable(talk.tls, 0)
        eventually(lambda: _dropped(hasty, talk.tls.getsockname()[1]), what="the end of the connection")
        assert time.monotonic() - began < 20


def _dropped(edge: RunningEdge, port: int) -> bool:
    """Whether the edge has no connection with that port any more (proc(5), net/tcp)."""
    mine, theirs = f":{edge.address[1]:04X}", f":{port:04X}"
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table]
    established = "01"
    return not any(row[1].endswith(mine) and row[2].endswith(theirs) and row[3] == established for row in rows)


def test_slow_reader_is_no_stall(hasty: RunningEdge) -> None:
    """A client that takes its answer slowly but steadily gets all of it."""
    assert any(_steadily_read(hasty) for _ in range(5))  # this side may be slower on a busy machine


def _steadily_read(hasty: RunningEdge) -> bool:
    with hasty.talk(receive_buffer=65536) as talk, contextlib.suppress(OSError, EOFError):
        talk.ask("/size?20000000")
        talk._until(b"\r\n\r\n")
        began = time.monotonic()
        left = 20000000
        while left:
            left -= len(talk.read(min(left, 2000000)))
            threading.Event().wait(0.2)
        assert time.monotonic() - began > 1.8
        return True
    return False


def test_reader_after_a_small_answer(hasty: RunningEdge) -> None:
    """A pipelining client that takes nothing is cut off, too."""
    with hasty.talk(receive_buffer=8192) as talk:
        talk.send(b"GET /size?60000 HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
        eventually(lambda: _dropped(hasty, talk.tls.getsockname()[1]), what="the end of the connection")


@pytest.mark.representatives
@pytest.mark.parametrize("kind", ["silent", "half-hello", "drip"])
def test_handshake(hasty: RunningEdge, kind: str) -> None:
    """A handshake has one deadline, which no drip stretches; others are served meanwhile, and the log has words."""
    began = time.monotonic()
    with stalled(kind, 20, hasty.address, interval=0.3) as crowd:
        with hasty.talk() as talk:
            assert talk.get().status == 200
        eventually(lambda: crowd.still_open() == 0)
        assert time.monotonic() - began < 15
    hasty.server.until_logged("failed: timed out after 0.8 s")


@pytest.mark.full
@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
def test_floods(edge_with: EdgeMaker, loop: str) -> None:
    """500 silent clients, 500 within a ClientHello, 50 that drip: a page takes less than a second; all go in time."""

    def lasted() -> float:
        with (
            stalled("silent", 500, edge.address) as silent,
            stalled("half-hello", 500, edge.address) as half,
            stalled("drip", 50, edge.address) as drip,
        ):
            _pages(edge)
            full = time.monotonic()
            eventually(lambda: silent.still_open() + half.still_open() + drip.still_open() == 0)
            return time.monotonic() - full

    with edge_with(loop=loop, handshake_timeout=5) as edge:
        assert any(lasted() < 7.5 for _ in range(3))
        log = edge.server.log()
        assert log.count("failed: timed out after 5 s") <= 40
        assert "more failed handshakes" in log or log.count("failed: timed out") >= 1


@pytest.mark.full
@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
def test_flood_of_half_heads(edge_with: EdgeMaker, loop: str) -> None:
    """500 clients that finish TLS and send half a head hold nobody up."""
    with edge_with(loop=loop, limits={"head_timeout": 6}) as edge, stalled("half-head", 500, edge.address) as crowd:
        _pages(edge)
        assert crowd.still_open()
        eventually(lambda: crowd.still_open() == 0)


def _pages(edge: RunningEdge) -> None:
    """Ten pages, each over a new connection, each in less than a second."""

    def page() -> None:
        with edge.talk() as talk:
            assert talk.get().words == "hello"

    for _ in range(10):
        in_time(page, 1)


def test_evicted(edge_with: EdgeMaker) -> None:
    """With too many connections the one that has waited longest goes, and none with a request in it."""
    with edge_with(limits={"connections": 10}) as edge, edge.talk() as busy, edge.talk() as oldest:
        busy.ask("/slow?1.5")
        assert oldest.get().status == 200
        plain = [socket.create_connection(edge.address) for _ in range(20)]
        with edge.talk() as newest:
            assert newest.get().status == 200
        assert oldest.end() == "notified"
        assert busy.answer().words == "slept"
        for one in plain:
            one.close()


@pytest.mark.representatives("")
@pytest.mark.parametrize("loop", LOOPS)
def test_few_descriptors(edge_with: EdgeMaker, loop: str) -> None:
    """Where descriptors are few, connections are, and a crowd that says nothing gives way."""
    with edge_with(descriptors=150, loop=loop) as edge, stalled("silent", 300, edge.address) as crowd:
        for _ in range(5):
            with edge.talk() as talk:
                assert talk.get().status == 200
        assert crowd.still_open() < 150

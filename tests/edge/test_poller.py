"""Readiness, told alike by epoll and by the event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator

import pytest
import uvloop

from tlsrun.edge.poller import READ, WRITE, EpollPoller, LoopPoller, Poller, make_poller


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop."""
    made: asyncio.AbstractEventLoop = request.param()
    yield made
    made.close()


@pytest.fixture(params=[EpollPoller, LoopPoller])
def poller(request: pytest.FixtureRequest, loop: asyncio.AbstractEventLoop) -> Iterator[Poller]:
    """Each kind on each loop."""
    made: Poller = request.param(loop)
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets."""
    here, there = socket.socketpair()
    here.setblocking(False)
    with here, there:
        yield here, there


def test_readiness(poller: Poller, loop: asyncio.AbstractEventLoop, pair: tuple[socket.socket, socket.socket]) -> None:
    """A handler hears of what is watched, again and again, of nothing else, and of nothing after it was forgotten."""
    here, there = pair
    heard: list[int] = []

    def turn() -> list[int]:
        heard.clear()
        for _ in range(4):
            loop.run_until_complete(asyncio.sleep(0.01))
        return heard

    poller.watch(here.fileno(), READ, heard.append)
    assert turn() == []
    there.send(b"x")
    assert set(turn()) == {READ}
    assert len(heard) > 1
    poller.change(here.fileno(), READ, READ | WRITE)
    assert {bit for mask in turn() for bit in (READ, WRITE) if mask & bit} == {READ, WRITE}
    poller.change(here.fileno(), READ | WRITE, WRITE)
    assert set(turn()) == {WRITE}
    poller.change(here.fileno(), WRITE, 0)
    there.close()
    assert turn() == []
    poller.change(here.fileno(), 0, READ)
    assert any(mask & READ for mask in turn())
    poller.forget(here.fileno(), READ)
    here.close()
    assert turn() == []


def test_forgotten_by_another(poller: Poller, loop: asyncio.AbstractEventLoop) -> None:
    """Of two that are ready at once, one may forget and close the other."""
    pairs = [socket.socketpair() for _ in range(2)]
    heard: list[int] = []

    def handler(mine: int) -> Callable[[int], None]:
        def hear(mask: int) -> None:
            heard.append(mine)
            for here, _ in pairs:
                poller.forget(here.fileno(), READ)
                here.close()

        return hear

    for number, (here, there) in enumerate(pairs):
        poller.watch(here.fileno(), READ, handler(number))
        there.send(b"x")
    loop.run_until_complete(asyncio.sleep(0.05))
    assert len(heard) == 1
    for _, there in pairs:
        there.close()


def test_best(loop: asyncio.AbstractEventLoop) -> None:
    """On Linux it is epoll."""
    made = make_poller(loop)
    assert isinstance(made, EpollPoller)
    made.close()

"""What is ready, by epoll and by the selectors module."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import uvloop

from tlsrun.polling import poller as module
from tlsrun.polling.poller import READ, WRITE, Poller

KINDS = [module._Selector, *([module._Epoll] if hasattr(select, "epoll") else [])]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    """One of each kind."""
    one: Poller = request.param()
    yield one
    one.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends."""
    with ExitStack() as stack:
        one, other = socket.socketpair()
        yield stack.enter_context(one), stack.enter_context(other)


def test_read_write_change_forget(poller: Poller, pair: tuple[socket.socket, socket.socket]) -> None:
    """What is given comes back when its descriptor is ready for what it is watched for."""
    here, there = pair
    poller.watch(here.fileno(), READ, "a")
    assert poller.wait(0) == []
    there.send(b"x")
    assert poller.wait(5) == ["a"]
    here.recv(1)
    poller.change(here.fileno(), WRITE, "b")
    assert poller.wait(5) == ["b"]
    poller.change(here.fileno(), READ | WRITE, "c")
    assert poller.wait(5) == ["c"]
    poller.forget(here.fileno())
    there.send(b"x")
    assert poller.wait(0) == []
    poller.watch(here.fileno(), READ, "again")
    assert poller.wait(5) == ["again"]


def test_how_one_is_forgotten(poller: Poller, pair: tuple[socket.socket, socket.socket]) -> None:
    """Before it is closed or right before it is; what is watched can be asked for."""
    here, there = pair
    there.send(b"x")
    poller.watch(here.fileno(), READ, "a")
    assert (poller.data_of(here.fileno()), poller.data_of(there.fileno())) == ("a", None)
    assert poller.watched() == ["a"]
    descriptor = here.fileno()
    poller.forget_closing(descriptor)
    here.close()
    poller.forget(descriptor)
    assert poller.wait(0) == []
    assert poller.watched() == []


def test_a_connection_that_breaks(poller: Poller) -> None:
    """It is told of one that is watched for nothing else, by epoll; what comes is not."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as there:
        here, _ = listener.accept()
        with here:
            poller.watch(here.fileno(), 0, "broken")
            there.send(b"x")
            assert poller.wait(0) == []
            there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            there.close()
            told = isinstance(poller, module._Epoll)
            assert poller.wait(5 if told else 0) == (["broken"] if told else [])
            poller.forget(here.fileno())
            assert poller.wait(0) == []


@pytest.mark.parametrize("make", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_within_an_event_loop(
    poller: Poller, pair: tuple[socket.socket, socket.socket], make: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Its descriptor is readable when, and as long as, something is ready."""
    here, there = pair
    heard: list[Any] = []
    came = asyncio.Event()

    def hear() -> None:
        heard.extend(poller.wait(0))
        came.set()

    async def listen() -> None:
        loop.add_reader(poller.fileno(), hear)
        poller.watch(here.fileno(), READ, "a")
        there.send(b"x")
        for _ in range(2):
            came.clear()
            await asyncio.wait_for(came.wait(), 60)
        poller.forget(here.fileno())
        heard.append("forgotten")
        await asyncio.sleep(0.01)
        loop.remove_reader(poller.fileno())

    loop = make()
    loop.run_until_complete(listen())
    loop.close()
    assert set(heard[:-1]) == {"a"}
    assert heard[-1] == "forgotten"


def test_many_at_once(poller: Poller) -> None:
    """All that are ready are named."""
    with ExitStack() as stack:
        for number in range(50):
            one, other = (stack.enter_context(end) for end in socket.socketpair())
            other.send(b"x")
            poller.watch(one.fileno(), READ, number)
        assert sorted(poller.wait(5)) == list(range(50))


def test_a_live_one_notices_what_another_thread_watches(pair: tuple[socket.socket, socket.socket]) -> None:
    """`Reactor.park` counts on it."""
    poller = module.new_poller()
    if not poller.live:
        pytest.skip("no epoll, no kqueue")
    here, there = pair
    there.send(b"x")
    timer = threading.Timer(0.05, poller.watch, (here.fileno(), READ, "late"))
    timer.start()
    assert poller.wait(10) == ["late"]
    timer.join()
    poller.close()

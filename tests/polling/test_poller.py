"""What is ready, by epoll and by the selectors module."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

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

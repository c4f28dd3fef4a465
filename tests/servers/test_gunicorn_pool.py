"""The threads of a gunicorn worker: each item once, in order, and none is lost."""

from __future__ import annotations

import threading

import pytest

from tests.support.process import eventually
from tlsrun.servers.gunicorn.pool import Pool


def test_every_item_is_worked_on_once() -> None:
    """By as many threads at once as there are, also when they come faster than they go."""
    done: list[int] = []
    running, most, lock = 0, 0, threading.Lock()

    def work(item: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        done.append(item)
        with lock:
            running -= 1

    pool: Pool[int] = Pool(4, work)
    pool.start()
    for item in range(5000):
        pool.put(item)
    pool.shutdown()
    assert sorted(done) == list(range(5000))
    assert 1 <= most <= 4


def test_what_was_put_before_the_threads_began() -> None:
    """It waits for them."""
    done: list[int] = []
    pool: Pool[int] = Pool(1, done.append)
    for item in range(10):
        pool.put(item)
    pool.start()
    pool.shutdown()
    assert done == list(range(10))


def test_all_threads_work() -> None:
    """Those that are busy leave new items to the others."""
    barrier = threading.Barrier(3, timeout=60)
    pool: Pool[int] = Pool(3, lambda _: barrier.wait() and None)
    pool.start()
    for item in range(3):
        pool.put(item)
    pool.shutdown()
    assert not barrier.broken


def test_a_view_that_exits_costs_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    """Its item is over; the thread takes the next."""
    done: list[str] = []

    def work(item: str) -> None:
        if item == "exit":
            raise SystemExit(3)
        done.append(item)

    pool: Pool[str] = Pool(1, work)
    pool.start()
    pool.put("exit")
    pool.put("next")
    eventually(lambda: done == ["next"], what="the next item")
    pool.shutdown()
    assert "Exception in a request's thread" in caplog.text

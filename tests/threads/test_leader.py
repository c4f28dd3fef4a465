"""A leader and its followers: each item once, no more at a time than there may be, and somebody always steps."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.process import PATIENCE, eventually
from tlsrun.threads import leader, workload
from tlsrun.threads.leader import LeaderFollowers

_NAME, _LOG = "a-test", logging.getLogger("tests.threads")


class Loop:
    """A loop that delivers what a test gives it, as the reactor does; only one thread may move it on."""

    def __init__(self) -> None:
        self.given: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self.pool: LeaderFollowers[int] | None = None
        self.stepping = threading.Lock()
        self.collided = False
        self.threads: set[str] = set()

    def step(self, seconds: float) -> None:
        """Wait for something, and deliver all that is there."""
        assert self.pool is not None
        if not self.stepping.acquire(blocking=False):
            self.collided = True
            return
        try:
            self.threads.add(threading.current_thread().name)
            with contextlib.suppress(queue.Empty):
                item = self.given.get(timeout=seconds)
                while True:
                    if item is not None:
                        self.pool.put(item)
                    item = self.given.get_nowait()
        finally:
            self.stepping.release()


@contextlib.contextmanager
def running(
    threads: int, work: Callable[[int], None], *, inline: Callable[[int], bool] = lambda item: True, **more: Any
) -> Iterator[Loop]:
    """Threads that work on what their loop is given."""
    loop = Loop()
    loop.pool = pool = LeaderFollowers(work, inline=inline, limit=threads, name=_NAME, log=_LOG, **more)
    pool.start(loop.step, lambda: loop.given.put(None))
    try:
        yield loop
    finally:
        pool.shutdown()
        assert not loop.collided
        for thread in threading.enumerate():
            if thread.name.startswith((_NAME, "tlsrun-monitor")):
                thread.join(PATIENCE)
                assert not thread.is_alive()


@pytest.mark.parametrize("inline", [lambda item: True, lambda item: False, lambda item: item % 3 == 0])
def test_every_item_is_worked_on_once(inline: Callable[[int], bool]) -> None:
    """By no more threads at once than there may be, also when they come faster than they go."""
    done: list[int] = []
    now, most, lock = 0, 0, threading.Lock()

    def work(item: int) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        done.append(item)
        with lock:
            now -= 1

    with running(4, work, inline=inline) as loop:
        for item in range(5000):
            loop.given.put(item)
        eventually(lambda: len(done) >= 5000)
    assert sorted(done) == list(range(5000))
    assert 1 <= most <= 4


def test_quick_items_are_the_leaders(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that steps works on them, all of them."""
    # On a busy machine, also a quick item may look slow.
    monkeypatch.setattr(leader, "_PATIENCE", 60.0)
    monkeypatch.setattr(workload, "_BLOCKED", 60.0)
    names: list[str] = []
    with running(3, lambda _: names.append(threading.current_thread().name)) as loop:
        for number in range(100):
            loop.given.put(number)
        eventually(lambda: len(names) == 100)
        assert set(names) == loop.threads
    assert len(set(names)) == 1


def test_items_that_wait_are_worked_on_together() -> None:
    """As many as there may be at once, again and again."""
    barrier = threading.Barrier(3, timeout=PATIENCE)
    done: list[int] = []

    def work(item: int) -> None:
        barrier.wait()
        done.append(item)

    with running(3, work) as loop:
        for number in range(30):
            loop.given.put(number)
        eventually(lambda: len(done) == 30)


def test_the_loop_goes_on_while_all_are_busy() -> None:
    """With every place taken by an item that does not end, somebody steps; what came meanwhile is done later."""
    entered, release = threading.Semaphore(0), threading.Event()
    done: list[int] = []

    def work(item: int) -> None:
        entered.release()
        release.wait(PATIENCE)
        done.append(item)

    with running(2, work) as loop:
        for number in range(4):
            loop.given.put(number)
        assert entered.acquire(timeout=PATIENCE)
        assert entered.acquire(timeout=PATIENCE)
        loop.given.put(4)
        eventually(loop.given.empty)
        assert not entered.acquire(timeout=0.05)
        release.set()
        eventually(lambda: sorted(done) == [0, 1, 2, 3, 4])


def test_put_while_an_item_is_worked_on() -> None:
    """As a connection whose next request is there already."""
    done: list[int] = []

    def work(item: int) -> None:
        done.append(item)
        if item:
            assert loop.pool is not None
            loop.pool.put(item - 1)

    for inline in (True, False):
        done.clear()
        with running(1, work, inline=lambda _, inline=inline: inline) as loop:  # type: ignore[misc]
            loop.given.put(50)
            eventually(lambda: len(done) == 51)
        assert done == list(range(50, -1, -1))


@pytest.mark.parametrize("inline", [True, False])
def test_a_view_that_exits_costs_no_thread(inline: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Its item is over; the thread takes the next."""
    done: list[int] = []

    def work(item: int) -> None:
        if item < 3:
            raise SystemExit(3)
        done.append(item)

    with running(1, work, inline=lambda _: inline) as loop:
        for number in range(5):
            loop.given.put(number)
        eventually(lambda: done == [3, 4], what="the next items")
    assert "Exception in a request's thread" in caplog.text


def test_an_item_that_stalls_the_leader_is_detached() -> None:
    """By who leads next, before it leads; one that does not is the leader's until it is released."""
    released: list[tuple[int, bool]] = []
    detached: list[int] = []
    over = threading.Event()

    def work(item: int) -> None:
        assert loop.pool is not None
        if item == 1:
            over.wait(PATIENCE)
        released.append((item, loop.pool.release(item)))

    with running(4, work, detach=detached.append) as loop:
        loop.given.put(1)
        eventually(lambda: detached == [1])
        assert not released
        loop.given.put(2)
        eventually(lambda: released)
        over.set()
        eventually(lambda: len(released) == 2)
    # On a busy machine the second may look stalled too.
    assert released == [(2, 2 not in detached), (1, False)]
    assert detached.count(1) == 1


def test_a_leader_that_is_interrupted_before_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one leads then, and has detached the item that the first has not begun."""
    detached, over = threading.Event(), threading.Event()
    released: list[bool] = []

    def used() -> workload.Usage:
        # Between the beginning of its turn and its work.
        if not released:
            detached.wait(PATIENCE)
        return workload.usage()

    def work(item: int) -> None:
        assert loop.pool is not None
        released.append(loop.pool.release(item))
        over.set()

    monkeypatch.setattr(leader, "usage", used)
    with running(4, work, detach=lambda item: detached.set()) as loop:
        loop.given.put(1)
        assert over.wait(PATIENCE)
    assert released == [False]


@pytest.mark.parametrize("refused", [1, 1000])
def test_there_can_be_no_more_threads(refused: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the leader works on what it would leave to others, and goes on."""
    done: list[int] = []
    start = threading.Thread.start
    left = [refused]

    def refuse(thread: threading.Thread) -> None:
        if left[0]:
            left[0] -= 1
            raise RuntimeError("can't start new thread")
        start(thread)

    with running(3, done.append, inline=lambda item: False) as loop, monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for item in range(20):
            loop.given.put(item)
        eventually(lambda: sorted(done) == list(range(20)))


def test_a_loop_that_fails_is_the_workers_end() -> None:
    """The main thread is told: a worker that nobody moves on must not look alive."""

    def step(seconds: float) -> None:
        raise OSError("the loop is gone")

    pool: LeaderFollowers[int] = LeaderFollowers(lambda item: None, name=_NAME, log=_LOG)
    pool.start(step, lambda: None)
    with pytest.raises(OSError, match="the loop is gone"):
        eventually(lambda: pool.supervise(0.1))
    pool.shutdown()

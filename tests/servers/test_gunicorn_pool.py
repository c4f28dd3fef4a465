"""The threads of a gunicorn worker: each item once, no more at a time than there may be, and somebody always steps."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.support.process import PATIENCE, eventually
from tlsrun.threads import gait
from tlsrun.threads import pool as pools
from tlsrun.threads.pool import Pool


class Loop:
    """A loop that delivers what a test gives it, as the reactor does; only one thread may move it on."""

    def __init__(self) -> None:
        self.given: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self.pool: Pool[int] | None = None
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
    threads: int, work: Callable[[int], None], *, alone: Callable[[int], bool] = lambda item: True
) -> Iterator[Loop]:
    """A pool that works on what its loop is given, while somebody looks out."""
    loop = Loop()
    loop.pool = pool = Pool(threads, work, alone=alone)
    over = threading.Event()

    def look_out() -> None:
        while not over.is_set():
            pool.look_out(0.2)

    main = threading.Thread(target=look_out)
    pool.start(loop.step, lambda: loop.given.put(None))
    main.start()
    try:
        yield loop
    finally:
        over.set()
        pool.ring()
        main.join()
        pool.shutdown()
        assert not loop.collided
        for thread in pool._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.mark.parametrize("alone", [lambda item: True, lambda item: False, lambda item: item % 3 == 0])
def test_every_item_is_worked_on_once(alone: Callable[[int], bool]) -> None:
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

    with running(4, work, alone=alone) as loop:
        for item in range(5000):
            loop.given.put(item)
        eventually(lambda: len(done) >= 5000)
    assert sorted(done) == list(range(5000))
    assert 1 <= most <= 4


def test_quick_items_are_the_leaders(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that steps works on them, all of them."""
    # On a busy machine, also a quick item may look slow.
    monkeypatch.setattr(pools, "_PATIENCE", 60.0)
    monkeypatch.setattr(gait, "_WAIT", 60.0)
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

    for alone in (True, False):
        done.clear()
        with running(1, work, alone=lambda _, alone=alone: alone) as loop:  # type: ignore[misc]
            loop.given.put(50)
            eventually(lambda: len(done) == 51)
        assert done == list(range(50, -1, -1))


@pytest.mark.parametrize("alone", [True, False])
def test_a_view_that_exits_costs_no_thread(alone: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Its item is over; the thread takes the next."""
    done: list[int] = []

    def work(item: int) -> None:
        if item < 3:
            raise SystemExit(3)
        done.append(item)

    with running(1, work, alone=lambda _: alone) as loop:
        for number in range(5):
            loop.given.put(number)
        eventually(lambda: done == [3, 4], what="the next items")
    assert "Exception in a request's thread" in caplog.text


def test_a_loop_that_fails_is_the_workers_end() -> None:
    """The main thread is told: a worker that nobody moves on must not look alive."""

    def step(seconds: float) -> None:
        raise OSError("the loop is gone")

    pool: Pool[int] = Pool(2, lambda item: None)
    pool.start(step, lambda: None)
    with pytest.raises(OSError, match="the loop is gone"):
        eventually(lambda: pool.look_out(0.1))
    pool.shutdown()

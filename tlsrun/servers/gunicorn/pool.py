"""The threads that answer requests: lighter than concurrent.futures, and no hindrance when a worker ends."""

from __future__ import annotations

import _thread
import collections
import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")

_log = logging.getLogger("gunicorn.error")


class Pool(Generic[Item]):
    """So many threads, each with one item at a time; the one that became free last works next, for its memory is warm.

    They are daemons: a worker that has waited for its graceful_timeout ends, whatever its requests still do.

    Arguments:
        threads: how many.
        work: called with each item.
    """

    def __init__(self, threads: int, work: Callable[[Item], None]) -> None:
        self._work = work
        # Not a queue.SimpleQueue, which wakes a second thread for each item, only to send it to sleep again.
        self._lock = threading.Lock()
        self._items: collections.deque[Item | None] = collections.deque()
        self._idle: list[_Seat[Item]] = []
        self._threads = [
            threading.Thread(target=self._run, name=f"gunicorn-request-{number}", daemon=True)
            for number in range(1, threads + 1)
        ]

    def start(self) -> None:
        """Start the threads; they take over the signal mask of this one, and what they run takes it over from them."""
        for thread in self._threads:
            thread.start()

    def put(self, item: Item | None) -> None:
        """Have the next free thread work on ``item``; None ends it."""
        with self._lock:
            if not self._idle:
                self._items.append(item)
                return
            seat = self._idle.pop()
        seat.item = item
        seat.bell.release()

    def shutdown(self, wait: bool = True) -> None:
        """Let the threads end when they have worked on what was put; wait for that or not."""
        for _ in self._threads:
            self.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def _run(self) -> None:
        seat: _Seat[Item] = _Seat()
        while (item := self._next(seat)) is not None:
            try:
                self._work(item)
            except BaseException:
                # Also sys.exit() in a view: it ends its request, not a thread that nobody would miss.
                _log.exception("Exception in a request's thread")

    def _next(self, seat: _Seat[Item]) -> Item | None:
        with self._lock:
            if self._items:
                return self._items.popleft()
            self._idle.append(seat)
        seat.bell.acquire()
        return seat.item


class _Seat(Generic[Item]):
    """Where a thread waits for what it is to do."""

    __slots__ = ("bell", "item")

    def __init__(self) -> None:
        self.bell = _thread.allocate_lock()
        self.bell.acquire()
        self.item: Item | None = None

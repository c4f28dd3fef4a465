"""The threads that answer requests: lighter than concurrent.futures, and no hindrance when a worker ends."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")

_log = logging.getLogger("gunicorn.error")


class Pool(Generic[Item]):
    """So many threads, each with one item at a time.

    They are daemons: a worker that has waited for its graceful_timeout ends, whatever its requests still do.

    Arguments:
        threads: how many.
        work: called with each item.
    """

    def __init__(self, threads: int, work: Callable[[Item], None]) -> None:
        self._work = work
        self._items: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"gunicorn-request-{number}", daemon=True)
            for number in range(1, threads + 1)
        ]

    def start(self) -> None:
        """Start the threads; they take over the signal mask of this one, and what they run takes it over from them."""
        for thread in self._threads:
            thread.start()

    def put(self, item: Item) -> None:
        """Have the next free thread work on ``item``."""
        self._items.put(item)

    def shutdown(self, wait: bool = True) -> None:
        """Let the threads end when they have worked on what was put; wait for that or not."""
        for _ in self._threads:
            self._items.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def _run(self) -> None:
        while (item := self._items.get()) is not None:
            try:
                self._work(item)
            except BaseException:
                # Also sys.exit() in a view: it ends its request, not a thread that nobody would miss.
                _log.exception("Exception in a request's thread")

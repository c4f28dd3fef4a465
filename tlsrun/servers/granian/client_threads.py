"""Threads that wait for clients in place of Granian's own, which have better things to do."""

from __future__ import annotations

import _thread
import threading
from collections import deque
from collections.abc import Callable

#: How many there are at most: each is kept by a request, or an answer, whose client is slow.
MOST_CLIENT_THREADS = 256
_REST = 30.0  # seconds for which one that has nothing to do is kept


class ClientThreads:
    """Those of a worker. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()
        self._idle: list[_ClientThread] = []
        self._waiting: deque[Callable[[], object]] = deque()
        self._count = 0

    @property
    def is_parked(self) -> bool:
        """Whether there are no more to be had."""
        return self._count >= MOST_CLIENT_THREADS and not self._idle

    def queue(self, task: Callable[[], object]) -> None:
        """Have ``task`` done as soon as one of them is free."""
        while not self.try_run(task):
            with self._lock:
                if not self._idle and self._count >= MOST_CLIENT_THREADS:
                    self._waiting.append(task)
                    return

    def try_run(self, task: Callable[[], object]) -> bool:
        """Have ``task`` done by one of them; returns False when all are busy, and nobody does it."""
        with self._lock:
            if self._idle:
                # Who has rested least: its memory is warm.
                thread = self._idle.pop()
                thread.task = task
                thread.bell.release()
                return True
            if self._count >= MOST_CLIENT_THREADS:
                return False
            self._count += 1
        # A daemon: at the worker's end nobody waits for clients any more.
        threading.Thread(target=self._run, args=(_ClientThread(task),), name="granian-client", daemon=True).start()
        return True

    def _run(self, thread: _ClientThread) -> None:
        while thread.task is not None:
            thread.task()
            with self._lock:
                ready = bool(self._waiting)
                thread.task = self._waiting.popleft() if ready else None
                if not ready:
                    self._idle.append(thread)
            if not (ready or thread.bell.acquire(timeout=_REST)) and self._leaves(thread):
                return
            # Where it was asked for just when it was to leave, the bell has been rung.

    def _leaves(self, thread: _ClientThread) -> bool:
        with self._lock:
            leaves = thread in self._idle
            if leaves:
                self._idle.remove(thread)
                self._count -= 1
        return leaves


class _ClientThread:
    __slots__ = ("bell", "task")

    def __init__(self, task: Callable[[], object]) -> None:
        self.task: Callable[[], object] | None = task
        self.bell = _thread.allocate_lock()
        self.bell.acquire()

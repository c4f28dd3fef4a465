"""A pool of threads that block on slow clients, so that Granian's own threads need not."""

from __future__ import annotations

import _thread
import threading
from collections import deque
from collections.abc import Callable

#: Maximum number of threads; each is occupied by one request or response of a slow client.
MOST_CLIENT_THREADS = 256
_REST = 30.0  # seconds after which an idle thread ends


class ClientThreads:
    """The client threads of a worker. Thread-safe."""

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()
        self._idle: list[_ClientThread] = []
        self._waiting: deque[Callable[[], object]] = deque()
        self._count = 0

    @property
    def is_parked(self) -> bool:
        """Whether every thread is busy and no more may be started."""
        return self._count >= MOST_CLIENT_THREADS and not self._idle

    def queue(self, task: Callable[[], object]) -> None:
        """Run ``task`` in one of the threads, as soon as one is free."""
        while not self.try_run(task):
            with self._lock:
                if not self._idle and self._count >= MOST_CLIENT_THREADS:
                    self._waiting.append(task)
                    return

    def try_run(self, task: Callable[[], object]) -> bool:
        """Run ``task`` in a free thread; returns False, without running it, if all are busy."""
        with self._lock:
            if self._idle:
                # The most recently idle one: its caches are warm.
                thread = self._idle.pop()
                thread.task = task
                thread.bell.release()
                return True
            if self._count >= MOST_CLIENT_THREADS:
                return False
            self._count += 1
        # A daemon, so that the worker's exit does not wait for clients.
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
            # Otherwise a task was assigned just as the wait timed out: the lock has been released already.

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

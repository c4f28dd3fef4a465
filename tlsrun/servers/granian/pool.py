"""Limits how many of Granian's threads are active to the number of concurrent requests; surplus threads are parked.

Granian starts another thread whenever a request is queued and no thread is idle, up to a maximum. That maximum has to
be large, because a client that does not send its body, or does not read its response, occupies a thread. But then a
busy server has that many threads competing for the GIL, and each request costs two context switches: one to wake a
thread for it, one to get the GIL. With few threads the next request arrives before a thread goes to sleep.

So a thread that has answered returns to Granian only if it is needed there; otherwise it is parked until another one
blocks on its client, or ends. After a while without requests all return to Granian, which may end them.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tlsrun.servers.granian.client_threads import ClientThreads
from tlsrun.servers.slots import Slots

Answer = Callable[[Any, dict[str, Any]], int]

#: Maximum number of threads of one runtime, including parked and blocked ones. Each takes about 50 KiB, and a third of
#: a millisecond to start; under load the maximum is soon reached.
MOST_THREADS = 256
#: Threads of these that are kept from blocking: Granian needs one free to wake those that are blocked.
_RESERVE = 16
_REST = 30.0  # seconds without a request after which a parked thread returns to Granian


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """What serves the requests of one Granian runtime.

    Arguments:
        answer: called for each request without a body, in one of Granian's threads.
        answer_upload: called for each request with a body, in a thread that may block.
        client_threads: the threads that may block.
        pool: Granian's threads of this runtime.
        base: the environ variables that are the same for all requests.
    """

    answer: Answer
    answer_upload: Answer
    client_threads: ClientThreads
    pool: Pool
    base: dict[str, Any]


class Pool(Slots):
    """The threads of one Granian runtime; each runtime has its own.

    Arguments:
        shared: the request slots shared by all runtimes of a worker.
        client_threads: the threads that block on clients instead of these, if any.

    Attributes:
        working: number of threads neither parked nor blocked on a client: in a request, or idle in Granian.
        answered: number of requests answered; approximate, as it is counted without a lock.
    """

    __slots__ = ("_client_threads", "_lock", "_resting", "_there", "answered", "working")

    def __init__(self, shared: Slots, client_threads: ClientThreads | None = None) -> None:
        super().__init__(shared.count, shared)
        self._client_threads = client_threads
        self._lock = _thread.allocate_lock()
        self._resting: list[_thread.LockType] = []
        self.working = self.answered = self._there = 0

    @property
    def threads(self) -> int:
        """Maximum number of threads that Granian may start."""
        return MOST_THREADS

    @property
    def is_parked(self) -> bool:
        """Whether every thread is blocked on a client and no more may be started."""
        if self._client_threads is not None and self._client_threads.is_parked:
            return True
        return self._there >= self.threads and self.working <= 0 and not self._resting

    def may_wait(self) -> bool:
        """Whether one more thread may block until its client has read some of a response."""
        return self._there - len(self._resting) - self.working <= self.threads - _RESERVE

    def come(self, one: int) -> None:
        """Count a thread that Granian has started (1) or ended (-1); a parked one replaces one that has ended."""
        with self._lock:
            self._there += one
            self.working += one
            self._fill()

    def resting_after(self, answer: Answer) -> Answer:
        """Wrap ``answer``: a thread that has answered is parked if enough others are active."""
        own, most = threading.local(), self.count

        def answered(protocol: Any, scope: dict[str, Any]) -> int:
            if not hasattr(own, "place"):
                own.place = _Place(self)
            # If it raises, the thread must not be parked: Granian has yet to send the response.
            status = answer(protocol, scope)
            self.answered += 1
            if self.working > most:
                self._rest()
            return status

        return answered

    def away(self) -> None:
        """A thread blocks on its client: unpark another one."""
        with self._lock:
            self.working -= 1
            self._fill()

    def _fill(self) -> None:
        """Unpark a thread if fewer than the maximum are active; the caller holds the lock."""
        if self._resting and self.working < self.count:
            # The most recently parked one: its caches are warm.
            self._resting.pop().release()
            self.working += 1

    def back(self) -> None:
        """A thread that was blocked on its client is active again."""
        with self._lock:
            self.working += 1

    def _rest(self) -> None:
        bell = _thread.allocate_lock()
        bell.acquire()
        with self._lock:
            if self.working <= self.count:
                return
            self.working -= 1
            self._resting.append(bell)
        answered = self.answered
        while not bell.acquire(timeout=_REST):
            with self._lock:
                if bell not in self._resting:  # unparked meanwhile, and counted as active there
                    return
                if answered == self.answered:
                    self._resting.remove(bell)
                    self.working += 1
                    return
            answered = self.answered


class _Place:
    """Counts a thread for as long as it lives: kept in a ``threading.local``, and freed with the thread."""

    __slots__ = ("_pool",)

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        pool.come(1)

    def __del__(self) -> None:
        self._pool.come(-1)

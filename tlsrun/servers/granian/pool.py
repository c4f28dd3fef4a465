"""Granian's threads, of which as many are at work as requests run at once; those beyond them rest.

Granian starts another thread whenever a request waits and none is idle, up to a number that it is given. That number
has to be large, as a client that does not send its body, or take its answer, keeps a thread. But then a server with
many clients has as many threads, which all want the interpreter: each request costs one of them a sleep until it comes,
and one more for the interpreter. With few threads the next request is there before one could fall asleep.

So a thread that has answered goes back to Granian only when it is needed there, and rests otherwise, until another one
waits for its client, or ends. When nothing is asked for a while, all go back to Granian, which may end them.
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

#: Threads of one runtime, those that rest or wait for their client included: about 50 KiB each, and a third of a
#: millisecond to start. Under load there are soon as many.
MOST_THREADS = 256
#: Threads of them that never wait: what the others wait for is told to one of Granian's.
_RESERVE = 16
_REST = 30.0  # seconds


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Our side of one of Granian's runtimes.

    Arguments:
        answer: called for each request without a body, in one of its threads.
        answer_upload: called for each of the others, in a thread that may wait.
        client_threads: those threads.
        pool: its own.
        base: variables of environ that are the same for all requests.
    """

    answer: Answer
    answer_upload: Answer
    client_threads: ClientThreads
    pool: Pool
    base: dict[str, Any]


class Pool(Slots):
    """The threads of one of Granian's runtimes, each of which has its own.

    Arguments:
        shared: the slots of all runtimes of a worker.
        client_threads: threads that wait in place of these; None without.

    Attributes:
        working: how many threads neither rest nor wait for a client: they run a request, or are Granian's to have.
        answered: requests so far, roughly.
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
        """How many Granian may start."""
        return MOST_THREADS

    @property
    def is_parked(self) -> bool:
        """Whether all threads that there may be wait for a client."""
        if self._client_threads is not None and self._client_threads.is_parked:
            return True
        return self._there >= self.threads and self.working <= 0 and not self._resting

    def may_wait(self) -> bool:
        """Whether one more of them may wait until its client has taken some of an answer."""
        return self._there - len(self._resting) - self.working <= self.threads - _RESERVE

    def come(self, one: int) -> None:
        """A thread of Granian's is there (1), or gone (-1): then another one takes its place."""
        with self._lock:
            self._there += one
            self.working += one
            self._fill()

    def resting_after(self, answer: Answer) -> Answer:
        """What Granian is to call: a thread rests when it has answered, if there are enough without it."""
        own, most = threading.local(), self.count

        def answered(protocol: Any, scope: dict[str, Any]) -> int:
            if not hasattr(own, "place"):
                own.place = _Place(self)
            # When it raises, Granian has still to send an answer, and this thread must not rest.
            status = answer(protocol, scope)
            self.answered += 1
            if self.working > most:
                self._rest()
            return status

        return answered

    def away(self) -> None:
        """A thread waits for its client: another one takes its place."""
        with self._lock:
            self.working -= 1
            self._fill()

    def _fill(self) -> None:
        """Have one go on that rests, if there is a place for it; with the lock."""
        if self._resting and self.working < self.count:
            # Who has rested least: its memory is warm.
            self._resting.pop().release()
            self.working += 1

    def back(self) -> None:
        """It is at work again, or a new one is."""
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
                if bell not in self._resting:  # somebody has rung it meanwhile, and counted this thread
                    return
                if answered == self.answered:
                    self._resting.remove(bell)
                    self.working += 1
                    return
            answered = self.answered


class _Place:
    """A thread's, which it keeps for itself alone: gone when the thread is."""

    __slots__ = ("_pool",)

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        pool.come(1)

    def __del__(self) -> None:
        self._pool.come(-1)

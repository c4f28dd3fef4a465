"""Threads that wait for clients in place of Granian's own, which have better things to do."""

from __future__ import annotations

import _thread
import threading
from collections import deque
from collections.abc import Callable

#: How many there are at most: each is kept by a request, or an answer, whose client is slow.
MOST_HANDS = 256
_REST = 30.0  # seconds for which one that has nothing to do is kept


class Hands:
    """Those of a worker. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()
        self._idle: list[_Hand] = []
        self._waiting: deque[Callable[[], object]] = deque()
        self._count = 0

    @property
    def is_parked(self) -> bool:
        """Whether there are no more to be had."""
        return self._count >= MOST_HANDS and not self._idle

    def queue(self, task: Callable[[], object]) -> None:
        """Have ``task`` done as soon as one of them is free."""
        while not self.give(task):
            with self._lock:
                if not self._idle and self._count >= MOST_HANDS:
                    self._waiting.append(task)
                    return

    def give(self, task: Callable[[], object]) -> bool:
        """Have ``task`` done by one of them; returns False when all are busy, and nobody does it."""
        with self._lock:
            if self._idle:
                # Who has rested least: its memory is warm.
                hand = self._idle.pop()
                hand.task = task
                hand.bell.release()
                return True
            if self._count >= MOST_HANDS:
                return False
            self._count += 1
        # A daemon: at the worker's end nobody waits for clients any more.
        threading.Thread(target=self._run, args=(_Hand(task),), name="granian-client", daemon=True).start()
        return True

    def _run(self, hand: _Hand) -> None:
        while hand.task is not None:
            hand.task()
            with self._lock:
                ready = bool(self._waiting)
                hand.task = self._waiting.popleft() if ready else None
                if not ready:
                    self._idle.append(hand)
            if not (ready or hand.bell.acquire(timeout=_REST)) and self._leaves(hand):
                return
            # Where it was asked for just when it was to leave, the bell has been rung.

    def _leaves(self, hand: _Hand) -> bool:
        with self._lock:
            leaves = hand in self._idle
            if leaves:
                self._idle.remove(hand)
                self._count -= 1
        return leaves


class _Hand:
    __slots__ = ("bell", "task")

    def __init__(self, task: Callable[[], object]) -> None:
        self.task: Callable[[], object] | None = task
        self.bell = _thread.allocate_lock()
        self.bell.acquire()

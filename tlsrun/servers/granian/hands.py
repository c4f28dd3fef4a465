"""Threads that wait for clients in place of another one, which has better things to do."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable

#: How many there are at most: each is kept by an answer that its client does not take.
MOST_HANDS = 256
_REST = 30.0  # seconds for which one that has nothing to do is kept


class Hands:
    """Those of a worker. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()
        self._idle: list[_Hand] = []
        self._count = 0

    @property
    def all_busy(self) -> bool:
        """Whether there are no more to be had."""
        return self._count >= MOST_HANDS and not self._idle

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
        threading.Thread(target=self._run, args=(_Hand(task),), name="granian-answer", daemon=True).start()
        return True

    def _run(self, hand: _Hand) -> None:
        while hand.task is not None:
            hand.task()
            hand.task = None
            with self._lock:
                self._idle.append(hand)
            if not hand.bell.acquire(timeout=_REST) and self._leaves(hand):
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

"""Requests that wait for room in the workers' queue, in order."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

_PAUSE = 0.02  # seconds between two tries: nothing tells when a Unix socket's queue has room again


class Waiting(Protocol):
    """A request that asks for a worker."""

    connected: bool
    """Whether a worker's socket took it."""

    def connect(self) -> bool:
        """Go to a worker; returns whether there was room."""


class Queue:
    """First come, first served; each has a deadline of its own, kept by its connection.

    Attributes:
        waiting: those that do.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.waiting: deque[Waiting] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, exchange: Waiting) -> bool:
        """Connect now (True), or when it is its turn."""
        if not self.waiting and exchange.connect():
            return True
        self.waiting.append(exchange)
        self._later()
        return False

    def leave(self, exchange: Waiting) -> None:
        """It is done with, connected or not; another may have its place."""
        if not exchange.connected and exchange in self.waiting:
            self.waiting.remove(exchange)
        self._later(0)

    def close(self) -> None:
        """Stop the clock."""
        if self._timer is not None:
            self._timer.cancel()

    def _later(self, seconds: float = _PAUSE) -> None:
        if self._timer is not None:
            if seconds:
                return
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._try)

    def _try(self) -> None:
        self._timer = None
        while self.waiting:
            exchange = self.waiting.popleft()
            if not exchange.connect():
                self.waiting.appendleft(exchange)
                self._later()
                return

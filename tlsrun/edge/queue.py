"""The queue of requests that wait until the workers' socket accepts another connection."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

_PAUSE = 0.02  # seconds between two attempts: no event tells when a Unix socket's backlog has room again


class Waiting(Protocol):
    """A request that needs a worker."""

    connected: bool
    """Whether the workers' socket has accepted it."""

    def connect(self) -> bool:
        """Try to connect; returns whether there was room."""


class Queue:
    """First come, first served. Each request's deadline is enforced by its connection.

    Attributes:
        waiting: the requests in the queue.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.waiting: deque[Waiting] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, exchange: Waiting) -> bool:
        """Connect now and return True, or queue the request and return False."""
        if not self.waiting and exchange.connect():
            return True
        self.waiting.append(exchange)
        self._later()
        return False

    def leave(self, exchange: Waiting) -> None:
        """Remove a request, whether it was connected or not, and let the next one try."""
        if not exchange.connected and exchange in self.waiting:
            self.waiting.remove(exchange)
        self._later(0)

    def close(self) -> None:
        """Stop the timer."""
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

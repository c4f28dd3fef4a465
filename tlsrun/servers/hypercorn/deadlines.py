"""Timeouts for clients that must make progress; a single timer for all of them, since most are met immediately."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Awaiting(Protocol):
    """Something that waits for a client."""

    def late(self) -> None:
        """The timeout has expired. Called in the event loop."""


class Deadlines:
    """The deadlines of one event loop. Not thread-safe: call all methods in the loop.

    Arguments:
        patience: seconds until a deadline expires.
    """

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._look = min(1.0, patience / 4)  # seconds between two checks of all deadlines
        self._due: dict[Awaiting, float] = {}
        self._looking = False

    def expect(self, one: Awaiting) -> None:
        """Start the deadline of ``one``, or start it again."""
        loop = asyncio.get_running_loop()
        self._due[one] = loop.time() + self.patience
        if not self._looking:
            self._looking = True
            loop.call_later(self._look, self._sweep)

    def forget(self, one: Awaiting) -> None:
        """Cancel the deadline of ``one``."""
        self._due.pop(one, None)

    def _sweep(self) -> None:
        self._looking = bool(self._due)
        if not self._looking:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        for one in [one for one, due in self._due.items() if due <= now]:
            self.forget(one)
            one.late()
        loop.call_later(self._look, self._sweep)

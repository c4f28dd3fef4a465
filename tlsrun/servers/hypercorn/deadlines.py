"""Who has to show within some time that its client goes on; by one timer for all, as most of them do so at once."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Awaiting(Protocol):
    """What waits for a client."""

    def late(self) -> None:
        """The client's time is over. Called in the loop."""


class Deadlines:
    """Those of one event loop, in which all of its methods are called.

    Arguments:
        patience: seconds that each has.
    """

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._look = min(1.0, patience / 4)  # seconds between two looks at all of them
        self._due: dict[Awaiting, float] = {}
        self._looking = False

    def expect(self, one: Awaiting) -> None:
        """It has all its time from now on."""
        loop = asyncio.get_running_loop()
        self._due[one] = loop.time() + self.patience
        if not self._looking:
            self._looking = True
            loop.call_later(self._look, self._sweep)

    def forget(self, one: Awaiting) -> None:
        """Nothing is expected of it."""
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

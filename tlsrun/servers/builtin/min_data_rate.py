"""A limit for slow clients that cannot be extended by sending or taking single bytes."""

from __future__ import annotations

#: The lowest rate at which a client must send or receive in the long run, in bytes per second.
MIN_RATE = 500


class MinDataRate:
    """Balances the time spent waiting for a client against the bytes transferred.

    Arguments:
        seconds: how long the client may fall behind `MIN_RATE`.
    """

    __slots__ = ("_seconds", "left")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.left = seconds

    def count(self, size: int, seconds: float) -> bool:
        """Record that ``size`` bytes took ``seconds``; returns whether the client is still fast enough."""
        self.left = min(self._seconds, self.left + size / MIN_RATE - seconds)
        return self.left > 0

"""A minimum data rate: a timeout for slow clients that trickling single bytes does not extend."""

from __future__ import annotations

#: The rate at which a client must send or receive on average, in bytes per second.
MIN_RATE = 500


class MinDataRate:
    """Balances the time spent waiting for a client against the bytes transferred.

    Arguments:
        seconds: how far the client may fall behind `MIN_RATE`.

    Attributes:
        left: seconds that remain before the client is too slow.
    """

    __slots__ = ("_seconds", "left")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.left = seconds

    def count(self, size: int, seconds: float) -> bool:
        """Record that ``size`` bytes took ``seconds``; returns whether the client is still fast enough."""
        self.left = min(self._seconds, self.left + size / MIN_RATE - seconds)
        return self.left > 0

"""How long a client may keep us waiting, whatever it sends or takes meanwhile."""

from __future__ import annotations

#: Bytes each second that a client must send, or take, in the long run.
MIN_RATE = 500


class Pace:
    """Counts the time that was spent on a client against the bytes that came of it.

    Arguments:
        seconds: it may be late by so much.
    """

    __slots__ = ("_seconds", "left")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.left = seconds

    def count(self, size: int, seconds: float) -> bool:
        """``size`` bytes took ``seconds``; returns whether the client is still in time."""
        self.left = min(self._seconds, self.left + size / MIN_RATE - seconds)
        return self.left > 0

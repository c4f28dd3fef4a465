"""How much of what costs time and asks for nothing a client may send; purely."""

from __future__ import annotations

import h2.events

_IDLE = (
    h2.events.PingReceived,
    h2.events.PingAckReceived,
    h2.events.PriorityUpdated,
    h2.events.RemoteSettingsChanged,
    h2.events.SettingsAcknowledged,
    h2.events.UnknownFrameReceived,
)


class TokenBucket:
    """So many at once, and so many more each second.

    Arguments:
        most: what there is after a while without spending.
        per_second: how fast it comes back.
    """

    def __init__(self, most: int, per_second: float) -> None:
        self._left: float = most
        self._most = most
        self._per_second = per_second
        self._seen: float | None = None

    def spend(self, now: float) -> bool:
        """Take one; False when there is none left.

        Arguments:
            now: seconds, of a clock that never goes back.
        """
        if self._seen is not None:
            self._left = min(self._most, self._left + (now - self._seen) * self._per_second)
        self._seen = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def asks_for_nothing(event: h2.events.Event) -> bool:
    """Whether an event of HTTP/2 brings neither a request nor any of its body."""
    if isinstance(event, h2.events.DataReceived):
        return not event.data and event.stream_ended is None
    return isinstance(event, _IDLE)

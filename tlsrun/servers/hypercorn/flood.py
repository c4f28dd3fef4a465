"""A limit on HTTP/2 frames that cost time but carry neither a request nor a body; no I/O."""

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
    """A rate limit that permits bursts (https://en.wikipedia.org/wiki/Token_bucket).

    Arguments:
        most: capacity: tokens available after a pause.
        per_second: tokens added per second.
    """

    def __init__(self, most: int, per_second: float) -> None:
        self._left: float = most
        self._most = most
        self._per_second = per_second
        self._seen: float | None = None

    def spend(self, now: float) -> bool:
        """Take a token; returns False if there is none.

        Arguments:
            now: seconds, of a monotonic clock.
        """
        if self._seen is not None:
            self._left = min(self._most, self._left + (now - self._seen) * self._per_second)
        self._seen = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def asks_for_nothing(event: h2.events.Event) -> bool:
    """Whether an HTTP/2 event carries neither a request nor a part of its body."""
    if isinstance(event, h2.events.DataReceived):
        return not event.data and event.stream_ended is None
    return isinstance(event, _IDLE)

"""Whether requests are better served one after the other, or side by side: what the last ones were like says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

try:
    import resource
except ImportError:  # Windows has none
    _THREAD: int | None = None
else:
    _THREAD = getattr(resource, "RUSAGE_THREAD", None)  # Linux's

#: The clock, the processor time of this thread (both in seconds), and how often it has waited for something.
Moment: TypeAlias = tuple[float, float, int]

#: Seconds of waiting beyond which a request counts as one that waits; and it must have waited longer than it computed.
_WAIT = 0.0005
#: So many more of them than of others, and requests are served side by side.
_MANY = 4
#: Seconds until that is tried anew: at first, and at most.
_FIRST, _LONGEST = 1.0, 30.0
#: So many others in a row, and what was before is forgotten.
_FORGOTTEN = 100


def moment() -> Moment:
    """This moment, for `Gait.note`."""
    if _THREAD is None:
        now = time.monotonic()
        return now, time.thread_time(), int(now * 1e6)  # who cannot tell is taken to have waited
    usage = resource.getrusage(_THREAD)
    return time.monotonic(), usage.ru_utime + usage.ru_stime, usage.ru_nvcsw


class Gait:
    """Counts the requests of one server. Safe to use from any thread: at worst, one is not counted.

    A request that computes has nothing of a second one beside it, as both need the interpreter. One that waits, for a
    database or for its client, should keep nobody else waiting.

    Arguments:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting = 0
        self._others = 0
        self._span = _FIRST
        self._until = 0.0

    def side_by_side(self) -> bool:
        """Whether each connection should have a thread of its own just now."""
        return self._until != 0.0 and self._clock() < self._until

    def note(self, before: Moment, after: Moment) -> None:
        """A request was answered between these two moments, by the thread that asks."""
        computed = after[1] - before[1]
        waited = after[0] - before[0] - computed
        # A thread that the system has interrupted for another process did not wait.
        if after[2] > before[2] and waited > _WAIT and waited > computed:
            self.kept()
            return
        self._waiting = max(0, self._waiting - 1)
        self._others += 1
        if self._others >= _FORGOTTEN:
            self._span = _FIRST

    def kept(self) -> None:
        """A request waits, or takes too long."""
        self._others = 0
        self._waiting += 1
        if self._waiting >= _MANY:
            self._waiting = 0
            self._until = self._clock() + self._span
            self._span = min(2 * self._span, _LONGEST)

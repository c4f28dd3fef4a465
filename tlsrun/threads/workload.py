"""Whether the requests of a server mostly block or mostly compute, by what the last ones were like.

A request that computes gains nothing by a second one beside it, as both need the interpreter. One that blocks, on a
database or on its client, should keep no other waiting.
"""

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

#: The clock, the processor time of this thread (both in seconds), and how often it has given the processor up.
Usage: TypeAlias = tuple[float, float, int]

#: Seconds beyond which a request counts as blocked, if it was longer than it computed.
_BLOCKED = 0.0005
#: So many more blocked requests than others, and the workload counts as one that blocks.
_MANY = 4
#: Seconds for which it does, at first and at most: then the leader tries again.
_FIRST, _LONGEST = 1.0, 30.0
#: So many others in a row, and it begins with the first again.
_FORGOTTEN = 100


def usage() -> Usage:
    """What this thread has used so far, for `Workload.record`."""
    if _THREAD is None:
        now = time.monotonic()
        return now, time.thread_time(), int(now * 1e6)  # where it is not counted, each counts as a wait
    used = resource.getrusage(_THREAD)
    return time.monotonic(), used.ru_utime + used.ru_stime, used.ru_nvcsw


class Workload:
    """The requests of one server; recorded by the leader alone, asked by any thread.

    Arguments:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._blocked = 0
        self._others = 0
        self._span = _FIRST
        self._until = 0.0

    def blocking(self) -> bool:
        """Whether requests mostly block, so that each should have a thread of its own."""
        return self._until != 0.0 and self._clock() < self._until

    def record(self, before: Usage, after: Usage) -> None:
        """The calling thread has answered a request between the two."""
        computed = after[1] - before[1]
        blocked = after[0] - before[0] - computed
        # A thread that the system has interrupted for another process has not blocked.
        if after[2] > before[2] and blocked > _BLOCKED and blocked > computed:
            self.record_stall()
            return
        self._blocked = max(0, self._blocked - 1)
        self._others += 1
        if self._others >= _FORGOTTEN:
            self._span = _FIRST

    def record_stall(self) -> None:
        """A request blocks, or takes too long."""
        self._others = 0
        self._blocked += 1
        if self._blocked >= _MANY:
            self._blocked = 0
            self._until = self._clock() + self._span
            self._span = min(2 * self._span, _LONGEST)

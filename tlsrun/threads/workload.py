"""Whether the requests of a server mostly block or mostly compute, judged by the recent ones.

Requests that compute gain nothing from running in parallel, as they all need the interpreter. One that blocks, on a
database or on its client, should not keep others waiting.
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

#: Wall clock and processor time of this thread, both in seconds, and its number of voluntary context switches.
Usage: TypeAlias = tuple[float, float, int]

#: Seconds of waiting above which a request counts as blocked, if it also waited longer than it computed.
_BLOCKED = 0.0005
#: With so many more blocked requests than others, the workload counts as blocking.
_MANY = 4
#: Seconds for which it does, at first and at most; then the leader tries again.
_FIRST, _LONGEST = 1.0, 30.0
#: After so many others in a row, the span starts at the first value again.
_FORGOTTEN = 100


def usage() -> Usage:
    """The usage of this thread so far, for `Workload.record`."""
    if _THREAD is None:
        now = time.monotonic()
        return now, time.thread_time(), int(now * 1e6)  # switches are not counted here: assume one each
    used = resource.getrusage(_THREAD)
    return time.monotonic(), used.ru_utime + used.ru_stime, used.ru_nvcsw


class Workload:
    """Statistics about a server's requests; recorded by the leader alone, read by any thread.

    Arguments:
        clock: monotonic seconds.
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
        """Record a request that the calling thread answered between the two measurements."""
        computed = after[1] - before[1]
        blocked = after[0] - before[0] - computed
        # A thread that was preempted has not blocked.
        if after[2] > before[2] and blocked > _BLOCKED and blocked > computed:
            self.record_stall()
            return
        self._blocked = max(0, self._blocked - 1)
        self._others += 1
        if self._others >= _FORGOTTEN:
            self._span = _FIRST

    def record_stall(self) -> None:
        """Record a request that blocked, or took too long."""
        self._others = 0
        self._blocked += 1
        if self._blocked >= _MANY:
            self._blocked = 0
            self._until = self._clock() + self._span
            self._span = min(2 * self._span, _LONGEST)

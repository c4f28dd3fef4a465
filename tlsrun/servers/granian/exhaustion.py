"""When a worker is no longer fit to serve, and nothing within it can mend that: it is to be replaced by another one."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence

from tlsrun.servers.granian.pool import Pool

#: Seconds between two looks, and looks in a row that find the same before a worker is given up.
LOOK = 2.0
_LOOKS = 5

FULL = "its clients have kept every connection that it may have"
PARKED = "every thread waits for a client"


class ExhaustionMonitor:
    """Of one worker.

    Arguments:
        wake: called, in any thread, when there is a reason.
        room: how many descriptors there are for connections.

    Attributes:
        why: it should be replaced; None for as long as it should not.
    """

    def __init__(self, wake: Callable[[], None], *, room: int) -> None:
        self._wake = wake
        self._room = room
        self._found = {FULL: 0, PARKED: 0}
        self.why: str | None = None

    def report(self, why: str) -> None:
        """It should be; the first reason counts."""
        if self.why is None:
            self.why = why
            self._wake()

    def look(self, pools: Sequence[Pool], descriptor: int) -> None:
        """To be called every so many seconds (`LOOK`).

        Arguments:
            pools: the threads of all its runtimes.
            descriptor: any open one.
        """
        self._count(FULL, self._is_full(descriptor))
        self._count(PARKED, any(pool.is_parked for pool in pools))

    def _count(self, why: str, found: bool) -> None:
        self._found[why] = self._found[why] + 1 if found else 0
        if self._found[why] >= _LOOKS:
            self.report(why)

    def _is_full(self, descriptor: int) -> bool:
        """Whether as many descriptors are open as there may be connections: new ones take the lowest free number."""
        try:
            lowest = os.dup(descriptor)
        except OSError as error:
            return error.errno == errno.EMFILE
        os.close(lowest)
        return lowest >= self._room

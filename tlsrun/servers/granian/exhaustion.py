"""Detects a worker that has run out of connections or threads, which only a replacement can fix."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence

from tlsrun.servers.granian.pool import Pool

LOOK = 2.0  # seconds between checks
_LOOKS = 5  # failed checks in a row after which a worker is to be replaced

FULL = "its clients have kept every connection that it may have"
PARKED = "every thread waits for a client"


class ExhaustionMonitor:
    """Watches one worker.

    Arguments:
        wake: called, in any thread, once there is a reason to replace the worker.
        room: number of file descriptors available for connections.

    Attributes:
        why: the reason to replace the worker; None while there is none.
    """

    def __init__(self, wake: Callable[[], None], *, room: int) -> None:
        self._wake = wake
        self._room = room
        self._found = {FULL: 0, PARKED: 0}
        self.why: str | None = None

    def report(self, why: str) -> None:
        """Record a reason to replace the worker; only the first one counts."""
        if self.why is None:
            self.why = why
            self._wake()

    def look(self, pools: Sequence[Pool], descriptor: int) -> None:
        """Check connections and threads; to be called every `LOOK` seconds.

        Arguments:
            pools: the thread pools of all runtimes of the worker.
            descriptor: any open file descriptor.
        """
        self._count(FULL, self._is_full(descriptor))
        self._count(PARKED, any(pool.is_parked for pool in pools))

    def _count(self, why: str, found: bool) -> None:
        self._found[why] = self._found[why] + 1 if found else 0
        if self._found[why] >= _LOOKS:
            self.report(why)

    def _is_full(self, descriptor: int) -> bool:
        """Whether at least ``room`` descriptors are open: a new descriptor gets the lowest free number."""
        try:
            lowest = os.dup(descriptor)
        except OSError as error:
            return error.errno == errno.EMFILE
        os.close(lowest)
        return lowest >= self._room

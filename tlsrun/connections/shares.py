"""The number of connections of each worker process, so that none accepts those that another could serve sooner.

All workers wait on the same listening sockets, and whichever is awake accepts. A burst of keep-alive connections would
all go to one of them while others idle.
"""

from __future__ import annotations

import mmap
import struct
import time

#: When a worker wrote it last (time.monotonic(), the same in all processes), and its number of connections.
_SLOT = struct.Struct("dq")
#: Seconds without an update after which a worker is ignored: it is gone, or too busy to accept.
_STALE = 1.5
#: With this many connections more than another worker, a worker has too many.
_LEAD = 2


class Shares:
    """The numbers of all workers, in memory shared over the fork; each process writes its own slot only.

    Arguments:
        workers: how many serve at a time; as many again may be shutting down.
    """

    def __init__(self, workers: int) -> None:
        self._slots = 2 * workers
        self._memory = mmap.mmap(-1, _SLOT.size * self._slots)

    def of(self, number: int) -> Share:
        """The slot of worker ``number``, counting all that were ever started."""
        return Share(self._memory, number % self._slots)


class Share:
    """The slot of one worker, compared with those of the others."""

    def __init__(self, memory: mmap.mmap, slot: int) -> None:
        self._memory = memory
        self._at = slot * _SLOT.size

    def tell(self, connections: int) -> None:
        """Publish how many connections this worker has; call it at least once a second."""
        _SLOT.pack_into(self._memory, self._at, time.monotonic(), connections)

    def leave(self) -> None:
        """Stop being counted."""
        _SLOT.pack_into(self._memory, self._at, 0.0, 0)

    def is_large(self, connections: int) -> bool:
        """Whether another worker has clearly fewer than ``connections``."""
        if connections < _LEAD:
            return False
        oldest, few = time.monotonic() - _STALE, connections - _LEAD
        return any(at > oldest and number <= few for at, number in _SLOT.iter_unpack(self._memory))

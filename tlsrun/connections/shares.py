"""How many connections each worker process has, so that none takes those that another could answer sooner.

All workers wait at the same listening sockets, and whoever is awake takes what comes. A burst of connections that are
kept alive would all go to one of them, while others idle.
"""

from __future__ import annotations

import mmap
import struct
import time

#: When a worker wrote it last (time.monotonic(), the same in all processes), and its number of connections.
_SLOT = struct.Struct("dq")
#: Seconds after which a worker that wrote nothing does not count: it is gone, or does not get to accept.
_STALE = 1.5
#: So many connections more than another has are too many.
_LEAD = 2


class Shares:
    """Made before the fork; each process writes its own slot only.

    Arguments:
        workers: how many serve at a time; as many again may be about to end.
    """

    def __init__(self, workers: int) -> None:
        self._slots = 2 * workers
        self._memory = mmap.mmap(-1, _SLOT.size * self._slots)

    def of(self, number: int) -> Share:
        """The part of worker ``number``, counted over all that have ever been started."""
        return Share(self._memory, number % self._slots)


class Share:
    """What one worker says and asks."""

    def __init__(self, memory: mmap.mmap, slot: int) -> None:
        self._memory = memory
        self._at = slot * _SLOT.size

    def tell(self, connections: int) -> None:
        """Say how many connections this worker has. To be called at least once in a second."""
        _SLOT.pack_into(self._memory, self._at, time.monotonic(), connections)

    def leave(self) -> None:
        """Be counted no more."""
        _SLOT.pack_into(self._memory, self._at, 0.0, 0)

    def is_large(self, connections: int) -> bool:
        """Whether another worker has clearly fewer than ``connections``."""
        if connections < _LEAD:
            return False
        oldest, few = time.monotonic() - _STALE, connections - _LEAD
        return any(at > oldest and number <= few for at, number in _SLOT.iter_unpack(self._memory))

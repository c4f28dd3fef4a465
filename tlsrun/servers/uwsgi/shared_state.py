"""The state that edges and control mule share: a few numbers in memory that all processes of a server have mapped."""

from __future__ import annotations

import enum
import mmap
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

TICK = 0.02  # seconds between two reads of it
_SLOT = struct.Struct("=II")


class EdgePhase(enum.IntEnum):
    """The state of an edge."""

    STARTING = 0
    SERVING = 1
    DRAINED = 2


class EdgeCommand(enum.IntEnum):
    """What the control mule tells the edges to do."""

    SERVE = 0
    DRAIN = 1
    END = 2


@dataclass(frozen=True, kw_only=True)
class EdgeState:
    """One edge, as it last reported.

    Arguments:
        pid: its process; 0 before the first.
        phase: where it is.
    """

    pid: int
    phase: EdgePhase


class SharedState:
    """Made before the fork; each process writes its own slot only.

    Plain memory instead of messages: a process that is killed leaves no message half sent, and one that is started
    again finds the state as it is.

    Arguments:
        edges: how many there are.
    """

    def __init__(self, edges: int) -> None:
        self._edges = edges
        self._memory = mmap.mmap(-1, _SLOT.size * (edges + 1))

    @property
    def command(self) -> EdgeCommand:
        """What the edges are told to do."""
        return EdgeCommand(_SLOT.unpack_from(self._memory, 0)[0])

    @command.setter
    def command(self, command: EdgeCommand) -> None:
        _SLOT.pack_into(self._memory, 0, command, 0)

    def report(self, edge: int, pid: int, phase: EdgePhase) -> None:
        """Report the state of an edge.

        Arguments:
            edge: its number, from 1.
        """
        _SLOT.pack_into(self._memory, _SLOT.size * edge, pid, phase)

    def all_serve(self) -> bool:
        """Whether every edge takes connections."""
        return [edge.phase for edge in self.edges()] == [EdgePhase.SERVING] * self._edges

    def edges(self) -> Iterator[EdgeState]:
        """Every edge that has ever reported."""
        for number in range(1, self._edges + 1):
            pid, phase = _SLOT.unpack_from(self._memory, _SLOT.size * number)
            if pid:
                yield EdgeState(pid=pid, phase=EdgePhase(phase))


def wait(condition: Callable[[], bool], seconds: float | None) -> bool:
    """Wait until ``condition`` holds, for ``seconds`` at most (None: for ever); returns whether it does."""
    tick, end = threading.Event(), None if seconds is None else time.monotonic() + seconds
    while not condition():
        if end is not None and time.monotonic() >= end:
            return False
        tick.wait(TICK)
    return True

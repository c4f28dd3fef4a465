"""How many requests run at once: threads that wait for their client do not count.

A server with an event loop of its own (Granian, Hypercorn) waits for slow clients with patience. Were its threads as
few as requests may run, as many clients that do not read their answer, or do not send their body, would keep everybody
else waiting.
"""

from __future__ import annotations

import queue
from types import TracebackType

#: Threads of one worker, those that wait included.
MOST_THREADS = 1024


class Slots:
    """Lets a limited number of threads into a ``with`` block at once; the others wait for their turn.

    Arguments:
        count: how many; with 1 none is ever lent, so that a request runs undisturbed from start to finish.
        shared: others whose places these are too.
    """

    __slots__ = ("_free", "alone", "count")

    def __init__(self, count: int, shared: Slots | None = None) -> None:
        self.count = count
        self.alone = count == 1
        self._free: queue.SimpleQueue[None] = shared._free if shared else queue.SimpleQueue()
        for _ in range(0 if shared else count):
            self._free.put(None)

    @property
    def threads(self) -> int:
        """How many threads the server needs to fill the slots."""
        return 1 if self.alone else MOST_THREADS

    def away(self) -> None:
        """Called by a thread without a slot that is about to wait for its client, or may be."""

    def back(self) -> None:
        """Called by that thread when the wait is over."""

    def __enter__(self) -> None:
        self._free.get()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._free.put(None)


class Outside:
    """A ``with`` block in which a slot is lent to others, by the thread that is inside it."""

    __slots__ = ("_slots",)

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    def __enter__(self) -> None:
        if not self._slots.alone:
            self._slots.__exit__(None, None, None)
            self._slots.away()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._slots.alone:
            self._slots.back()
            self._slots.__enter__()

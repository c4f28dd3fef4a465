"""Limits how many requests run at once; threads that wait for their client do not count.

A server with its own event loop (Granian, Hypercorn) waits a long time for slow clients. If it had only as many threads
as requests may run, that many clients that do not read their response, or do not send their body, could block everybody
else.
"""

from __future__ import annotations

import queue
from types import TracebackType

#: Maximum number of threads in a worker, including those that wait.
MOST_THREADS = 1024


class Slots:
    """A semaphore: lets a limited number of threads into a ``with`` block at once; the others wait.

    Arguments:
        count: number of slots; with 1 the slot is never lent, so a request runs undisturbed from start to finish.
        shared: share the slots of this other object.
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
        """How many threads the server needs to keep all slots in use."""
        return 1 if self.alone else MOST_THREADS

    def away(self) -> None:
        """Hook: a thread that holds no slot is about to wait for its client, or may have to."""

    def back(self) -> None:
        """Hook: that wait is over."""

    def __enter__(self) -> None:
        self._free.get()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._free.put(None)


class Outside:
    """A ``with`` block in which the thread gives its slot to others, and takes one again at the end."""

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

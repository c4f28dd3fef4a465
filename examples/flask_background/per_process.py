"""Something of which each process that answers requests has one of its own, whatever server starts it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class PerProcess(Generic[Made]):
    """Called, it returns what ``make`` has made in this process: a thread, a pool of connections, a client.

    Arguments:
        make: called once in each process, when it is asked for first.
    """

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: tuple[int, Made] | None = None

    def __call__(self) -> Made:
        made = self._made
        if made is None or made[0] != os.getpid():  # what the process before the fork has is not ours
            with self._lock:
                made = self._made
                if made is None or made[0] != os.getpid():
                    made = self._made = (os.getpid(), self._make())
        return made[1]

"""A rate limit on log lines about workers: some in each window, then a count of the rest."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_log = logging.getLogger("tlsrun.edge")


class RateLimitedLog:
    """A log for lines that thousands of requests a second could cause.

    Arguments:
        limit: lines in one window.
        window: seconds.
        clock: seconds, monotonic.
    """

    def __init__(self, *, limit: int = 10, window: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._window = window
        self._clock = clock
        self._began = clock()
        self._written = 0
        self._held_back = 0

    def write(self, level: int, message: str, *arguments: object) -> None:
        """Log, or count."""
        self.look()
        if self._written < self._limit:
            self._written += 1
            _log.log(level, message, *arguments)
        else:
            self._held_back += 1

    def look(self) -> None:
        """Begin a new window when it is time; call it regularly."""
        if self._clock() - self._began >= self._window:
            self.flush()
            self._began = self._clock()
            self._written = 0

    def flush(self) -> None:
        """Log how many lines were held back."""
        if self._held_back:
            _log.warning("%d more such lines in the last %g s", self._held_back, self._window)
            self._held_back = 0

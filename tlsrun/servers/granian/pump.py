"""A thread that reads a body in place of the request's own, which can leave it behind when it comes to no end."""

from __future__ import annotations

import _thread
import threading
import time
from typing import Any, Protocol

_PIECE = 65536
#: Seconds that a client has for a read, and bytes that it has to send in each one beyond them.
_PATIENCE, _RATE = 60.0, 500
_SPINS = 0.05  # seconds of processor time, of which a piece takes a thousandth
_LOOK, _LONGEST_LOOK = 0.05, 1.0  # seconds between two looks at it


class ReaderObserver(Protocol):
    """Who is told of threads that are left behind."""

    def left(self, raw: Any, *, spins: bool) -> None:
        """The thread that reads from ``raw`` is left behind; if it spins, it will not come to an end."""

    def ended(self, raw: Any) -> None:
        """It has come to its end."""


class Pump:
    """Reads from ``raw``, with a thread that begins with the first read and ends with this object.

    Arguments:
        keeper: told of the thread when it is left behind.
        raw: has Granian's ``read(size)`` and ``read()``.
    """

    __slots__ = ("_ended", "_reader")

    def __init__(self, keeper: ReaderObserver, raw: Any) -> None:
        self._reader: _Reader | None = _Reader(keeper, raw)
        self._ended = False

    def read(self, size: int) -> bytes:
        """So many bytes; fewer at the end.

        Raises:
            ConnectionResetError: the body broke off, or the client was too slow with it.
        """
        parts = []
        while size > 0 and not self._ended:
            part = self._ask(min(size, _PIECE), at_once=False)
            # Fewer than it was asked for are the last ones. To ask again could be to ask for ever.
            self._ended = len(part) < min(size, _PIECE)
            size -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_all(self, size: int) -> bytes:
        """All that comes, by one read; nothing where the body broke off.

        Arguments:
            size: how much that will be, in bytes.

        Raises:
            ConnectionResetError: as `read`.
        """
        return self._ask(size, at_once=True)

    def _ask(self, size: int, *, at_once: bool) -> bytes:
        if self._reader is None:
            raise ConnectionResetError("the client broke its request off")
        try:
            return self._reader.ask(size, at_once=at_once)
        except ConnectionResetError:
            self._reader = None
            raise

    def __del__(self) -> None:
        if self._reader is not None:
            self._reader.end()


class _Reader:
    """The thread, and what it and the request's own say to one another."""

    def __init__(self, keeper: ReaderObserver, raw: Any) -> None:
        self._keeper = keeper
        self._raw = raw
        self._asked, self._done, self._lock = (_thread.allocate_lock() for _ in range(3))
        self._asked.acquire()
        self._done.acquire()
        self._size: int | None = 0
        self._data: bytes | BaseException = b""
        self._began = 0.0
        self._left = False
        self._clock: int | None = None
        self._begun = False

    # The request's side.

    def ask(self, size: int, *, at_once: bool) -> bytes:
        """One read of ``raw``: of so many bytes, or of all that there is; raises as `Pump.read`."""
        if not self._begun:
            self._begun = True
            _thread.start_new_thread(self._run, ())
        self._size = None if at_once else size
        patience, look = _PATIENCE + size / _RATE, _LOOK
        deadline = time.monotonic() + patience
        self._asked.release()
        while not self._done.acquire(timeout=look):
            look = min(2 * look, _LONGEST_LOOK)
            if self._spins() and self._leave(spins=True):
                raise ConnectionResetError("the client broke its request off")
            if time.monotonic() > deadline and self._leave(spins=False):
                raise ConnectionResetError(f"the client sent less than {size} bytes in {patience:.0f} s")
        if isinstance(self._data, BaseException):
            raise self._data
        return self._data

    def end(self) -> None:
        """No more is asked; the thread waits for the next question."""
        if self._begun:
            self._left = True
            self._asked.release()

    def _spins(self) -> bool:
        if self._clock is None or self._size is None:
            return False
        return time.clock_gettime(self._clock) - self._began > _SPINS

    def _leave(self, *, spins: bool) -> bool:
        """Leave the thread behind, unless it has just come to its end."""
        with self._lock:
            if self._done.locked():
                self._left = True
                self._keeper.left(self._raw, spins=spins)
        return self._left

    # The thread.

    def _run(self) -> None:
        if hasattr(time, "pthread_getcpuclockid"):
            self._began = time.thread_time()
            self._clock = time.pthread_getcpuclockid(threading.get_ident())
        while True:
            self._asked.acquire()
            if self._left:
                return
            self._began = time.thread_time()
            try:
                self._data = self._raw.read() if self._size is None else self._raw.read(self._size)
            except BaseException as error:  # noqa: BLE001 -- it is raised where somebody sees it
                self._data = error
            if not self._tell():
                return

    def _tell(self) -> bool:
        """Hand over what was read; returns whether somebody still waits for it."""
        with self._lock:
            if self._left:
                self._keeper.ended(self._raw)
            else:
                self._done.release()
        return not self._left

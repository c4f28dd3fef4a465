"""A request's body between the event loop, which fills it, and the application's thread, which empties it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from tlsrun.edge.spool import Spool

#: Bytes that wait here before a client is made to wait, where it can be.
ROOM = 65536
_MEMORY = 1 << 20  # bytes held in memory before a file is used, of a client that cannot be made to wait


class Inbox:
    """Bytes in order, from one thread to another.

    Arguments:
        patience: seconds within which some more must come while the application waits for it.
        taken: told, in the application's thread, how many bytes were taken.
    """

    def __init__(self, patience: float, taken: Callable[[int], None]) -> None:
        self._patience = patience
        self._taken = taken
        self._changed = threading.Condition()
        self._parts: deque[bytes] = deque()
        self._spool: Spool | None = None
        self._spooled = 0
        self._ended = False
        self._broken: str | None = None
        self.size = 0

    # The event loop's side.

    def feed(self, data: bytes) -> None:
        """Put ``data`` at the end. Nothing is kept of what comes after `break_off`.

        Raises:
            tlsrun.edge.refusal.Refused: 507, there is no room for it.
        """
        with self._changed:
            if self._broken is not None:
                return
            self.size += len(data)
            if self._spool is None and self.size > _MEMORY:
                self._spool = Spool(0)
            if self._spool is None:
                self._parts.append(data)
            else:
                self._spool.append(data)
                self._spooled += len(data)
            self._changed.notify()

    def end(self) -> None:
        """No more will come."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def break_off(self, why: str = "the client went away before it had sent all") -> None:
        """No more will come, and something is missing; or nobody will read any more."""
        with self._changed:
            if self._broken is None:
                self._broken = why
                self._parts.clear()
                self._discard_spool()
                self.size = 0
            self._changed.notify()

    @property
    def whole(self) -> bool:
        """Whether the end has come."""
        return self._ended

    # The application's side.

    def read(self, size: int) -> bytes:
        """So many bytes; fewer at the end.

        Raises:
            ConnectionResetError: the client went away, or sent nothing for too long.
        """
        pieces: list[bytes] = []
        wanted = size
        while wanted > 0 and (piece := self._next(wanted)):
            pieces.append(piece)
            wanted -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _next(self, most: int) -> bytes:
        deadline = time.monotonic() + self._patience
        with self._changed:
            while not self.size and not self._ended and self._broken is None:
                if not self._changed.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    self._broken = f"the client sent nothing for {self._patience:g} s"
            if self._broken is not None:
                raise ConnectionResetError(self._broken)
            piece = self._take(most)
            self.size -= len(piece)
        if piece:
            self._taken(len(piece))
        return piece

    def _take(self, most: int) -> bytes:
        if self._parts:
            piece = self._parts.popleft()
            if len(piece) > most:
                self._parts.appendleft(piece[most:])
            return piece[:most]
        if self._spool is None:
            return b""
        piece = self._spool.take(most)
        self._spooled -= len(piece)
        if not self._spooled:
            self._discard_spool()
        return piece

    def _discard_spool(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool, self._spooled = None, 0

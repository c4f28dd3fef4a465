"""A request body on its way from the event loop, which receives it, to the application's thread, which reads it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tlsrun.http1.refusal import Refused
from tlsrun.servers.store import SharedQuota, SpillBuffer


class BodyQueue:
    """A FIFO of bytes between two threads.

    Arguments:
        patience: seconds within which more must arrive while the application waits for it.
        taken: called in the application's thread with the number of bytes it has read.
        stock: the quota that it shares with other requests.
    """

    def __init__(self, patience: float, taken: Callable[[int], None], stock: SharedQuota) -> None:
        self._patience = patience
        self._taken = taken
        self._changed = threading.Condition()
        self._store = SpillBuffer(stock)
        self._ended = False
        self._broken: str | None = None

    # Called in the event loop.

    def feed(self, data: bytes) -> None:
        """Append ``data``; ignored after `break_off`.

        Raises:
            tlsrun.http1.refusal.Refused: 507, the disk is full.
        """
        with self._changed:
            if self._broken is not None or not data:
                return
            try:
                self._store.append(data)
            except OSError as error:
                raise Refused(507, "The server has no room for a body of this size.") from error
            self._changed.notify()

    def end(self) -> None:
        """The body is complete."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def break_off(self, why: str = "the client went away before it had sent all") -> None:
        """The body is truncated, or not wanted any more: discard it; reads raise ConnectionResetError from now on."""
        with self._changed:
            if self._broken is None:
                self._broken = why
                self._store.clear()
            self._changed.notify()

    @property
    def size(self) -> int:
        """Number of bytes not read yet."""
        return self._store.held

    @property
    def in_file(self) -> bool:
        """Whether a part of them is in a file."""
        return self._store.in_file

    @property
    def whole(self) -> bool:
        """Whether the end of the body has arrived."""
        return self._ended

    # Called in the application's thread.

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer at the end of the body.

        Raises:
            ConnectionResetError: the client disconnected, or sent nothing for too long.
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
            while not self._store.held and not self._ended and self._broken is None:
                if not self._changed.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    self._broken = f"the client sent nothing for {self._patience:g} s"
            if self._broken is not None:
                raise ConnectionResetError(self._broken)
            piece = self._store.take(most)
        if piece:
            self._taken(len(piece))
        return piece

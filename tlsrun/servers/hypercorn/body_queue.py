"""A request's body between the event loop, which fills it, and the application's thread, which empties it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tlsrun.http1.refusal import Refused
from tlsrun.servers.store import SharedQuota, SpillBuffer


class BodyQueue:
    """Bytes in order, from one thread to another.

    Arguments:
        patience: seconds within which some more must come while the application waits for it.
        taken: told, in the application's thread, how many bytes were taken.
        stock: what it shares with others.
    """

    def __init__(self, patience: float, taken: Callable[[int], None], stock: SharedQuota) -> None:
        self._patience = patience
        self._taken = taken
        self._changed = threading.Condition()
        self._store = SpillBuffer(stock)
        self._ended = False
        self._broken: str | None = None

    # The event loop's side.

    def feed(self, data: bytes) -> None:
        """Put ``data`` at the end. Nothing is kept of what comes after `break_off`.

        Raises:
            tlsrun.http1.refusal.Refused: 507, there is no room for it.
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
        """No more will come."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def break_off(self, why: str = "the client went away before it had sent all") -> None:
        """No more will come, and something is missing; or nobody will read any more."""
        with self._changed:
            if self._broken is None:
                self._broken = why
                self._store.clear()
            self._changed.notify()

    @property
    def size(self) -> int:
        """Bytes that wait to be read."""
        return self._store.held

    @property
    def in_file(self) -> bool:
        """Whether some of it waits in a file."""
        return self._store.in_file

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
            while not self._store.held and not self._ended and self._broken is None:
                if not self._changed.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    self._broken = f"the client sent nothing for {self._patience:g} s"
            if self._broken is not None:
                raise ConnectionResetError(self._broken)
            piece = self._store.take(most)
        if piece:
            self._taken(len(piece))
        return piece

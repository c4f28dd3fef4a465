"""An answer between the application's one thread, which makes it, and another, which has Granian send it.

The former goes on to the next request, whatever the client takes: what waits is held in memory, then in a temporary
file without a name. Only when there is as much of it as one answer, or all of them together, may have, it waits.
"""

from __future__ import annotations

import threading
import time

from tlsrun.connections.presence import ClientGone as ClientGone
from tlsrun.servers.store import SharedQuota, SpillBuffer

#: Bytes of an answer that are handed over at once.
PIECE = 65536
MOST = 1 << 24  # bytes that wait before the application does
PATIENCE = 60.0  # seconds in which a client has to take some of them then
#: With so many bytes that wait, the application gives a quick client a moment to take them: so many seconds per answer,
#: and of them so many in which the client takes nothing. It costs less than to hold them.
_AHEAD, _GRACE, _STALL = 1 << 20, 0.1, 0.02


class ResponseQueue:
    """One answer of several parts. To Granian it is what it sends: an iterator with ``close()``.

    Arguments:
        stock: what waits, and what it shares with others.
    """

    def __init__(self, stock: SharedQuota) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._store = SpillBuffer(stock, MOST)
        self._ended = self._closed = False
        self._error: BaseException | None = None
        self._grace = _GRACE

    # The application's side.

    def put(self, data: bytes) -> None:
        """Have ``data`` sent as soon as the client takes it; waits when too much waits.

        Raises:
            ClientGone: the client has; or it took nothing for too long.
        """
        with self._changed:
            if self._closed:
                raise ClientGone
            for begin in range(0, len(data), PIECE):
                self._store.keep(data[begin : begin + PIECE])
            self._changed.notify_all()
            self._wait_a_moment()
            most = MOST
            while self._holds_more_than(most):
                most = MOST // 2
                held = self._store.held
                if not self._changed.wait(PATIENCE) and self._store.held == held:
                    self._error = ConnectionResetError(f"the client took nothing of its answer for {PATIENCE:g} s")
                    self._clear()
            if self._closed:
                raise ClientGone

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more comes; with an error, something is missing."""
        with self._changed:
            self._ended = True
            self._error = self._error or error
            self._changed.notify_all()

    def _wait_a_moment(self) -> None:
        while self._grace > 0 and self._holds_more_than(_AHEAD):
            before = time.monotonic()
            took = self._changed.wait(min(_STALL, self._grace))
            self._grace = self._grace - (time.monotonic() - before) if took else 0.0

    def _holds_more_than(self, size: int) -> bool:
        return not self._closed and (self._store.held > size or self._store.full)

    def _clear(self) -> None:
        self._closed = self._ended = True
        self._store.clear()
        self._changed.notify_all()

    # Granian's side.

    def __next__(self) -> bytes:
        with self._changed:
            while not (self._store.held or self._ended):
                self._changed.wait()
            if self._store.held:
                data = self._store.take(PIECE)
                self._changed.notify_all()
                return data
            if self._error is not None:
                raise self._error
            raise StopIteration

    def close(self) -> None:
        """The answer is over, or its client has gone."""
        with self._changed:
            self._clear()

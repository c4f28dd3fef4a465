"""A response queued between the application's single thread, which produces it, and a thread that sends it.

The application's thread goes on to the next request however slow the client is: queued data is held in memory, then in
an unnamed temporary file. It blocks only at the limit of one response, or of all responses together.
"""

from __future__ import annotations

import threading
import time

from tlsrun.connections.presence import ClientGone as ClientGone
from tlsrun.servers.store import SharedQuota, SpillBuffer

#: Maximum number of bytes handed to Granian at a time.
PIECE = 65536
MOST = 1 << 24  # bytes queued at which the application's thread blocks
PATIENCE = 60.0  # seconds without progress after which a client is then given up
#: Beyond _AHEAD bytes queued, the application's thread pauses briefly to let a fast client catch up, which is cheaper
#: than queueing more: _GRACE seconds per response in total, and no longer once nothing is taken for _STALL seconds.
_AHEAD, _GRACE, _STALL = 1 << 20, 0.1, 0.02


class QueuedResponse:
    """One response in parts; to Granian, the iterator with ``close()`` that it sends.

    Arguments:
        stock: the quota that all queued responses share.
    """

    def __init__(self, stock: SharedQuota) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._store = SpillBuffer(stock, MOST)
        self._ended = self._closed = False
        self._error: BaseException | None = None
        self._grace = _GRACE

    # Called in the application's thread.

    def put(self, data: bytes) -> None:
        """Queue ``data``; blocks while too much is queued.

        Raises:
            ClientGone: the client has disconnected, or took nothing for `PATIENCE` seconds.
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
        """The response is complete; or, with ``error``, truncated."""
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

    # Called in the sending thread.

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
        """Discard what is queued: the response was sent, or its client has disconnected."""
        with self._changed:
            self._clear()

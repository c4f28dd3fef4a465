"""A request body that is buffered before the application is called, so that it does not block on the client."""

from __future__ import annotations

from typing import Protocol

from tlsrun.servers.store import SharedQuota, SpillBuffer

#: Bytes of a body that are buffered before the application is called; a shorter body is buffered whole.
BUFFERED_BYTES = 1 << 23
_PIECE = 65536


class BodySource(Protocol):
    """What a body is read from."""

    def read(self, size: int) -> bytes:
        """Read exactly ``size`` bytes, fewer at the end of the body; raises ConnectionResetError if it is truncated."""

    def close(self) -> None:
        """Discard what is unread; `read` is not called again."""


class BufferedBody:
    """The buffered start of a body, then the rest read from its source. Filled by one thread, then read by another.

    Arguments:
        source: what the body is read from; its ``read(size)`` blocks until it has ``size`` bytes, or the end.
        stock: the quota that all buffered bodies share.

    Attributes:
        ended: ``source`` has been read to its end, has failed or is closed.
    """

    def __init__(self, source: BodySource, stock: SharedQuota) -> None:
        self._source = source
        self._stock = stock
        self._store = SpillBuffer(stock)
        self._error: ConnectionResetError | None = None
        self.ended = False

    def fill(self) -> None:
        """Buffer the whole body, or its first `BUFFERED_BYTES`; less when the shared quota is used up."""
        while not (self.ended or self._store.held >= BUFFERED_BYTES or self._store.full):
            try:
                part = self._source.read(_PIECE)
            except ConnectionResetError as error:
                self._error = error
                self.ended = True
                return
            # A short read is the last one.
            self.ended = len(part) < _PIECE
            self._store.keep(part)

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes; fewer at the end of the body.

        Raises:
            ConnectionResetError: the body was truncated, or the client was too slow in sending the rest.
        """
        parts: list[bytes] = []
        while size > 0 and self._store.held:
            parts.append(self._store.take(size))
            size -= len(parts[-1])
        if size > 0:
            parts.append(self._more(size))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _more(self, size: int) -> bytes:
        if self._error is not None:
            raise self._error
        if self.ended:
            return b""
        data = self._source.read(size)
        self.ended = len(data) < size
        return data

    def close(self) -> None:
        """Release the buffer, and close the source."""
        self._store.clear()
        self._source.close()
        self.ended = True

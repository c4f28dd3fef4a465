"""A request's body that is read before the application is called: it does not wait for a client."""

from __future__ import annotations

from typing import Protocol

from tlsrun.servers.store import SharedQuota, SpillBuffer

#: Bytes of a body that are there, or the whole of it, before the application is called.
BUFFERED_BYTES = 1 << 23
_PIECE = 65536


class BodySource(Protocol):
    """What a body is read from."""

    def read(self, size: int) -> bytes:
        """So many bytes, or fewer at the end; raises ConnectionResetError where it breaks off."""

    def close(self) -> None:
        """Nobody reads any more."""


class BufferedBody:
    """What there is of a body, and the rest of it. Filled by one thread, then read by another.

    Arguments:
        source: what it is read from; its ``read(size)`` waits for so many bytes, or the end.
        stock: what waits, and what it shares with others.

    Attributes:
        ended: nobody reads from ``source`` any more.
    """

    def __init__(self, source: BodySource, stock: SharedQuota) -> None:
        self._source = source
        self._stock = stock
        self._store = SpillBuffer(stock)
        self._error: ConnectionResetError | None = None
        self.ended = False

    def fill(self) -> None:
        """Read until the body is there, or enough of it."""
        while not (self.ended or self._store.held >= BUFFERED_BYTES or self._store.full):
            try:
                part = self._source.read(_PIECE)
            except ConnectionResetError as error:
                self._error = error
                self.ended = True
                return
            # Fewer than were asked for are the last ones.
            self.ended = len(part) < _PIECE
            self._store.keep(part)

    def read(self, size: int) -> bytes:
        """So many bytes; fewer at the end.

        Raises:
            ConnectionResetError: the body broke off, or the client was too slow with the rest of it.
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
        """Let go of everything."""
        self._store.clear()
        self._source.close()
        self.ended = True

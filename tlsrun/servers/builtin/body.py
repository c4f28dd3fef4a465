"""A request body as a file that ends where the body ends, and never reads into the next request."""

from __future__ import annotations

import io
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from tlsrun.connections.stages import ConnectionLimits
from tlsrun.http1.body import BodyReader
from tlsrun.http1.refusal import malformed
from tlsrun.servers.builtin.min_data_rate import MinDataRate
from tlsrun.servers.builtin.reader import ClientGone, Reader
from tlsrun.spool import Room, Spool

if TYPE_CHECKING:
    from typing_extensions import Buffer

_AT_ONCE = 65536
_IN_MEMORY = 131072  # bytes of a collected body kept in memory; the rest goes to a file


class NoBody:
    """Stands in for `Body` on a request without a body."""

    awaited = broken = False
    left = 0

    def collect(self, room: Room) -> None:
        """As `Body.collect`."""

    def discard(self) -> None:
        """As `Body.discard`."""

    def end(self, *, at_most: int, seconds: float) -> bool:
        """As `Body.end`."""
        return True


#: Stateless, so all requests share it.
NO_BODY = NoBody()


class Body(io.RawIOBase):
    """The raw bytes of one body, decoded from its framing.

    Arguments:
        reader: the connection.
        length: in bytes; None for a chunked body.
        seconds: how long to wait for more of it; shorter after the client has been slow (`MinDataRate`).
        error: makes the exception raised to the application when the body is truncated or malformed.
        ask: sends 100 (Continue), before the first read; None if the client does not wait for it.

    Attributes:
        broken: whether the rest of the body cannot be read, and the connection must be closed after the response.
    """

    def __init__(
        self,
        reader: Reader,
        length: int | None,
        *,
        seconds: float,
        error: Callable[[str], Exception],
        ask: Callable[[], None] | None = None,
    ) -> None:
        self._reader = reader
        self._incoming = BodyReader(length, self._malformed)
        self._rate = MinDataRate(seconds)
        self._error = error
        self._ask = ask
        self._pieces: deque[bytes] = deque()
        self._over = length == 0
        self._spool: Spool | None = None
        self._ready = b""
        self._late: Exception | None = None
        self.broken = False

    @property
    def awaited(self) -> bool:
        """Whether the client still waits for 100 (Continue), and may never send the body."""
        return self._ask is not None

    @property
    def left(self) -> int | None:
        """How many bytes have not been read; None if unknown (chunked)."""
        return 0 if self._over else self._incoming.left

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """As io.RawIOBase.readinto.

        Raises:
            Exception: made by ``error``: the body is truncated or malformed.
        """
        with memoryview(buffer) as view, view.cast("B") as target:
            data = self._next(len(target)) if self._spool is None else self._collected(len(target))
            target[: len(data)] = data
            return len(data)

    def collect(self, room: Room) -> None:
        """Read the body ahead, unless it is too long, so that the application does not wait for the client.

        Errors are raised later, when the application reads.

        Arguments:
            room: limit on collected bytes, shared by all connections.
        """
        if self._over or (self._incoming.left or 0) > ConnectionLimits.max_body:
            return
        self._spool = Spool(_IN_MEMORY, most=ConnectionLimits.max_body, room=room)
        try:
            while not self._over and not self._spool.full:
                self._spool.keep(self._next(_AT_ONCE))
        except Exception as error:  # noqa: BLE001 -- whatever ``error`` made
            self._late = error

    def _collected(self, size: int) -> bytes:
        if not self._ready and self._spool is not None:
            self._ready = self._spool.take(_AT_ONCE)
        if not self._ready:
            self.discard()
            if self._late is not None:
                raise self._late
            return self._next(size)
        data, self._ready = self._ready[:size], self._ready[size:]
        return data

    def discard(self) -> None:
        """Discard what was collected."""
        if self._spool is not None:
            self._spool.close()
            self._spool, self._ready = None, b""

    def _next(self, size: int) -> bytes:
        if self._over or size == 0:
            return b""
        if self._ask is not None:
            ask, self._ask = self._ask, None
            ask()
        incoming, pieces = self._incoming, self._pieces
        while not pieces and not incoming.done:
            wanted = _AT_ONCE if incoming.left is None else min(size, incoming.left)
            more, rest = incoming.feed(self._take(wanted))
            pieces.extend(more)
            if rest:
                self._reader.put_back(rest)
        piece = pieces.popleft() if pieces else b""
        if len(piece) > size:
            pieces.appendleft(piece[size:])
        self._over = incoming.done and not pieces
        return piece[:size]

    def _take(self, size: int) -> bytes:
        began = time.monotonic()
        try:
            data = self._reader.some(size, self._rate.left)
        except ClientGone as error:
            raise self._broken(f"The client went away in the body: {error}.") from error
        if not data:
            raise self._broken("The client closed in the body.")
        if not self._rate.count(len(data), time.monotonic() - began):
            raise self._broken("The client was too slow with the body.")
        return data

    def _malformed(self, words: str) -> Exception:
        return self._broken(malformed(words).words)

    def _broken(self, words: str) -> Exception:
        self.broken = self._over = True
        return self._error(words)

    def end(self, *, at_most: int, seconds: float) -> bool:
        """Read and discard the rest, so that the next request can follow. Do not read from this body afterwards.

        Arguments:
            at_most: maximum number of bytes to read.
            seconds: time limit for the whole rest.

        Returns:
            whether the end of the body was reached; if not, the connection must be closed.
        """
        deadline = time.monotonic() + seconds
        if self.awaited and not self._over:
            self._over = self.broken = True
        try:
            while not self._over:
                self._rate = MinDataRate(deadline - time.monotonic())
                if at_most <= 0 or self._rate.left <= 0 or (self._incoming.left or 0) > at_most:
                    self._over = self.broken = True
                    break
                at_most -= len(self._next(_AT_ONCE))
        except Exception:  # noqa: BLE001 -- whatever ``error`` made; the response does not depend on it any more
            self.broken = True
        return not self.broken

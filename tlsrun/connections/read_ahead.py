"""The reading side of a connection whose request head is read before a server gets it."""

from __future__ import annotations

import errno
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

from tlsrun import system
from tlsrun.connections.output_buffer import OutputBuffer
from tlsrun.connections.sockets import ServerSocket
from tlsrun.spool import PART, Spool

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: Bytes of one read: the most that a TLS record holds (RFC 8446, section 5.1).
RECORD = 16384

_CORK: int | None = getattr(socket, "TCP_CORK", None)

#: Bytes per second that a client must send on average, or it is given up.
MIN_RATE = 500


class ReadAhead(ServerSocket):
    """The part of `tlsrun.connections.request_socket.RequestSocket` that reads and waits.

    Attributes:
        refuses_bare_lf: whether its server refuses a head whose lines end in a bare LF, and so need not see the rest.
    """

    refuses_bare_lf = True
    patience: float | None = None
    output_buffer: OutputBuffer | None = None
    _body: Spool | None = None
    _timeout: float | None = 0.0
    _ahead: bytearray | None = None
    _searched = 0
    _credit = 0.0
    _parts = _gathers = _finished = False

    def flush(self) -> None:
        """Send what was held back, before waiting for the client."""
        raise NotImplementedError

    # -- reading ahead, before a server has the connection ----------------------------------------------------

    def read_ahead(self) -> int:
        """Read what has arrived, without waiting.

        Returns:
            the number of bytes; 0 at the end of the stream.

        Raises:
            ssl.SSLWantReadError, ssl.SSLWantWriteError: nothing has arrived.
            OSError: as the ssl module's.
        """
        data = super().read(RECORD)
        self._parts = False
        if self._ahead is None:
            self._ahead = bytearray(data)
        else:
            self._ahead += data
        return len(data)

    @property
    def seen(self) -> bytes:
        """What was read ahead."""
        return bytes(self._ahead or b"")

    def collect(self, body: Spool) -> bytes:
        """Read a part of a body that has arrived, without waiting; `read` returns it after what was read ahead.

        Arguments:
            body: where it is kept.

        Returns:
            the part; b"" at the end of the stream.

        Raises:
            as `read_ahead`.
        """
        data: bytes = super().read(RECORD)
        self._parts = False
        self._body = body
        body.keep(data)
        return data

    def unread(self, data: bytes) -> None:
        """Put back what belongs to the next request."""
        if data:
            self._ahead = bytearray(data) + (self._ahead or b"")

    @property
    def ahead(self) -> int:
        """How many bytes were read ahead."""
        return (len(self._ahead) if self._ahead else 0) + (self._body.held if self._body else 0)

    def has_head(self, limit: int) -> bool:
        """Whether what was read ahead holds a whole request head, or exceeds the limit, so that no more is waited for.

        Lines may end in a bare LF, if the server refuses that: it needs to read no more to do so.

        Arguments:
            limit: the largest head, in bytes.
        """
        if self._body is not None:  # the previous request's: it was read, but not what follows it
            while self._next_of_body():
                pass
        ahead = self._ahead
        if not ahead:
            return False
        start = max(0, self._searched - 2)
        if len(ahead) > limit:
            return True
        if (ahead.find(b"\n\r\n", start) >= 0 or ahead.find(b"\n\n", start) >= 0) and (
            self.refuses_bare_lf or ahead.find(b"\r\n\r\n", max(0, start - 1)) >= 0
        ):
            return True
        self._searched = len(ahead)
        return False

    def _next_of_body(self) -> bool:
        """Move a part of the collected body to what was read ahead; returns whether there was any."""
        body = self._body
        if body is None:
            return False
        self._ahead = (self._ahead or bytearray()) + body.take(PART)
        if not body.held:
            body.close()
            self._body = None
        return True

    # -- waiting ----------------------------------------------------------------------------------------------

    def gather(self) -> None:
        """Send only full packets until a part of the answer is written, or the client is waited for.

        On Linux only (tcp(7), TCP_CORK), which delays data by at most 200 ms.
        """
        if _CORK is not None and not system.is_unix(self):
            self.setsockopt(socket.IPPROTO_TCP, _CORK, 1)
            self._gathers = True

    def let_go(self) -> None:
        """Send what was gathered, and stop gathering."""
        if self._gathers and _CORK is not None:
            self._gathers = False
            self.setsockopt(socket.IPPROTO_TCP, _CORK, 0)

    def setblocking(self, flag: bool) -> None:
        """As socket.setblocking; blocking means a time-out of ``patience``."""
        self._timeout = self.patience if flag else 0.0

    def settimeout(self, value: float | None) -> None:
        """As socket.settimeout; None means ``patience``."""
        self._timeout = self.patience if value is None else value

    def gettimeout(self) -> float | None:
        """As socket.gettimeout."""
        return self._timeout

    def getblocking(self) -> bool:
        """As socket.getblocking."""
        return self._timeout != 0

    def _wait(self, want: Exception, deadline: float | None, what: str) -> None:
        """Wait for what OpenSSL wants; ``what`` the client has done too little of: ``sent`` or ``read``."""
        self.let_go()
        events = system.READABLE if isinstance(want, ssl.SSLWantReadError) else system.WRITABLE
        if self.wait_until(events, None if deadline is None else max(0.0, deadline - time.monotonic())):
            return
        if self._timeout == self.patience:
            # Every server takes this for a client that went away, and logs it quietly.
            raise ConnectionResetError(errno.ECONNRESET, f"the client {what} too little in {self.patience:g} s")
        raise TimeoutError(errno.ETIMEDOUT, "timed out")

    # -- reading ----------------------------------------------------------------------------------------------

    def pending(self) -> int:
        """As ssl.SSLSocket.pending, including what was read ahead."""
        return self.ahead + (super().pending() if self._parts else 0)

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """As ssl.SSLSocket.recv; after a shutdown the end, as what still arrives is not for the server."""
        return b"" if self._finished else super().recv(buflen, flags)

    def read(self, len: int = 1024, buffer: Buffer | None = None) -> Any:  # noqa: A002
        """As ssl.SSLSocket.read, after what was read ahead.

        Raises:
            ConnectionResetError: the client is too slow.
        """
        if self._ahead or (self._body is not None and self._next_of_body() and self._ahead):
            return self._take(self._ahead, len, buffer)
        # OpenSSL may hold the rest of a record that was read in part.
        self._parts = True
        try:
            return self._read_at_once(len, buffer)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if self._timeout == 0:
                raise
        self.flush()
        return self._read_in_time(len, buffer)

    def _take(self, ahead: bytearray, size: int, buffer: Buffer | None) -> Any:
        if buffer is None and size >= len(ahead):
            self._ahead = None
            return bytes(ahead)
        taken = bytes(ahead[:size])
        del ahead[:size]
        if buffer is None:
            return taken
        with memoryview(buffer) as view:
            view.cast("B")[: len(taken)] = taken
        return len(taken)

    def _read_in_time(self, size: int, buffer: Buffer | None) -> Any:
        """Wait at the client's expense; the time that the application takes between two reads is not charged to it."""
        began = time.monotonic()
        seconds = self._timeout
        if seconds is not None and seconds == self.patience:
            seconds = min(seconds, self._credit)
        while True:
            try:
                data = self._read_at_once(size, buffer)
                break
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as want:
                self._wait(want, None if seconds is None else began + seconds, "sent")
        count = data if isinstance(data, int) else len(data)
        earned = count / MIN_RATE - (time.monotonic() - began)
        self._credit = min(self.patience or 0.0, self._credit + earned)
        return data

    def _read_at_once(self, size: int, buffer: Buffer | None) -> Any:
        if self.output_buffer is None:
            return super().read(size, buffer)
        with self.output_buffer.changed:
            return super().read(size, buffer)

"""A TLS socket that implements its timeouts itself: fewer system calls, and fewer switches between threads."""

from __future__ import annotations

import errno
import ssl
import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from tlsrun import system
from tlsrun.connections.handshaking import LINGER
from tlsrun.connections.sockets import ServerSocket

if TYPE_CHECKING:
    from typing_extensions import Buffer


class NonblockingSocket(ServerSocket):
    """A `ServerSocket` whose file descriptor is non-blocking after the handshake; it polls only when it has to wait.

    To its users it behaves like any socket: `settimeout` and the others have their usual meaning. The ssl module itself
    polls before each write with a timeout, and changes the descriptor's mode whenever the timeout changes. Each of
    these calls releases the GIL; with several busy connections the thread switches cost more than the requests.
    """

    #: The local address that the client connected to.
    here: tuple[str, int] = ("", 0)
    #: Lock held during each read, if another thread may write: before Python 3.13 the two must not run concurrently.
    guard: AbstractContextManager[Any] | None = None
    _nonblocking = False
    _reading = False
    _timeout: float | None = None

    def do_handshake(self, block: bool = False) -> None:
        """As `ServerSocket.do_handshake`."""
        if self._shaken:
            return
        super().do_handshake(block)
        self._timeout = super().gettimeout()
        super().settimeout(0)
        self._nonblocking = True

    def settimeout(self, value: float | None) -> None:
        """As socket.settimeout."""
        if self._nonblocking:
            self._timeout = value
        else:
            super().settimeout(value)

    def setblocking(self, flag: bool) -> None:
        """As socket.setblocking."""
        self.settimeout(None if flag else 0.0)

    def gettimeout(self) -> float | None:
        """As socket.gettimeout."""
        return self._timeout if self._nonblocking else super().gettimeout()

    def getblocking(self) -> bool:
        """As socket.getblocking."""
        return self.gettimeout() != 0

    def read(self, len: int = 1024, buffer: Buffer | None = None) -> Any:  # noqa: A002
        """As ssl.SSLSocket.read, after the handshake."""
        began: float | None = None
        while True:
            try:
                if self.guard is None:
                    return self._read_once(len, buffer)
                with self.guard:
                    return self._read_once(len, buffer)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as want:
                began = self._wait(want, began)

    @property
    def stopped(self) -> bool:
        """Whether `stop_reading` was called, or `abort`."""
        return self._stopped

    def read_at_once(self, size: int) -> bytes | None:
        """Return what has arrived, without waiting; None if there is nothing, or after `stop_reading`."""
        if self._stopped or not self._nonblocking:
            return None
        try:
            data: bytes = self._read_once(size)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        return data

    def _read_once(self, size: int, buffer: Buffer | None = None) -> Any:
        """As `ServerSocket.read`, but OpenSSL never sees the end of file caused by `stop_reading`: see
        `wait_for_bytes`.

        `stop_reading` sets its flag first and then checks whether a thread is reading; a reader sets its own flag
        first. So one of the two always notices the other, and shuts down the socket once OpenSSL has returned.

        Raises:
            ConnectionResetError: `stop_reading` was called, and no data had arrived before.
        """
        self._reading = True
        try:
            if self._stopped and not self._has_come():
                raise ConnectionResetError(errno.ECONNRESET, "nothing more is read")
            return super().read(size, buffer)
        finally:
            self._reading = False
            if self._stopped:
                super()._wake_reader()

    def _has_come(self) -> bool:
        if not self._nonblocking or self.pending():
            return True
        try:
            return self.peek() != b""
        except BlockingIOError:
            return False

    def _wake_reader(self) -> None:
        self._stopped = True
        if not (self._reading and self._nonblocking):
            super()._wake_reader()

    def send(self, data: Buffer, flags: int = 0) -> int:
        """As ssl.SSLSocket.send, after the handshake."""
        began: float | None = None
        while True:
            try:
                return super().send(data, flags)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as want:
                began = self._wait(want, began)

    def send_at_once(self, data: Buffer) -> int:
        """As `send`, without waiting.

        Raises:
            ssl.SSLWantReadError: OpenSSL has to read first.
            ssl.SSLWantWriteError: the socket's send buffer is full.
        """
        return super().send(data)

    def linger(self, seconds: float = LINGER) -> None:
        """As `ServerSocket.linger`, which bypasses TLS and needs a blocking socket."""
        self._nonblocking = False
        super().linger(seconds)

    def _wait(self, want: ssl.SSLError, began: float | None) -> float:
        """Wait until the socket is readable or writable, as OpenSSL wants.

        Arguments:
            began: ``time.monotonic()`` when this read or write first had to wait; None for now.

        Returns:
            that time.

        Raises:
            ssl.SSLWantReadError: the timeout is 0.
            ssl.SSLWantWriteError: the timeout is 0.
            TimeoutError: the timeout expired.
        """
        if self._timeout == 0:
            raise want
        began = time.monotonic() if began is None else began
        events = system.READABLE if isinstance(want, ssl.SSLWantReadError) else system.WRITABLE
        left = None if self._timeout is None else max(0.0, began + self._timeout - time.monotonic())
        if not self.wait_until(events, left):
            if self._stopped and events == system.READABLE:  # as shutdown(2) causes on other systems
                raise ConnectionResetError(errno.ECONNRESET, "nothing more is read")
            raise TimeoutError(errno.ETIMEDOUT, "timed out")
        return began

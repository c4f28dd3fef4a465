"""Server sockets that never shake hands in accept(): the connection's own thread does, under one deadline."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import ssl
import struct
import time
from typing import TYPE_CHECKING, Any

from tlsrun import system
from tlsrun.tls import plain, proxy_protocol
from tlsrun.tls.handshake import FAILURES, reason
from tlsrun.tls.introduction import is_introduced, take
from tlsrun.tls.onlooker import in_words

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

#: Bytes looked at before a handshake: a ClientHello's version lies within them.
FIRST_BYTES = 64

#: Seconds to wait, after the last byte that we send, for a client to close.
LINGER = 1.0


class HandshakeFailed(ConnectionResetError):
    """A handshake that did not come to be; it is logged already, the socket is only to be closed.

    A ConnectionResetError, because every server knows that one as a client that went away.
    """

    def __init__(self, why: str) -> None:
        super().__init__(errno.ECONNRESET, f"TLS handshake failed: {why}")


def nobody(host: str) -> bool:
    """The `ServerContext.allowed_host` that redirects nobody."""
    return False


class ServerSocket(ssl.SSLSocket):
    """The server's side of one connection.

    A blocking socket shakes hands at its first read, write or `do_handshake`, within ``handshake_timeout`` of its
    context, however slowly the client sends. A non-blocking one (``settimeout(0)``) leaves all of it to its owner:
    `do_handshake` raises SSLWantReadError or SSLWantWriteError, and the owner keeps the deadline.

    Attributes:
        tls_sni: the name that the client asked for (RFC 6066, section 3), None without.
        introduced: the client's address and port as a trusted proxy gave them (PROXY protocol), None without.
        hello, shown, refusal: of `tlsrun.tls.onlooker`, during the handshake.
    """

    tls_sni: str | None = None
    hello: bytes | None = None
    shown: bytes | None = None
    refusal: str | None = None
    introduced: tuple[str, int] | None = None
    _shaken = False
    _failure: str | None = None
    _notified = False
    _stopped = False
    _ended_for: str | None = None
    _sslobj: Any  # of ssl.SSLSocket: None once there is no TLS any more
    _io_refs: int  # of socket.socket: file objects made from this socket that are still open

    def do_handshake(self, block: bool = False) -> None:
        """Shake hands, once.

        Raises:
            HandshakeFailed: it failed or took too long (blocking sockets only).
            ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLError: as the ssl module's (non-blocking only).
        """
        if self._shaken:
            return
        if self._failure is not None:
            raise HandshakeFailed(self._failure)
        if self.gettimeout() == 0 or not self.server_side:
            self._shake(block)
        else:
            self._shake_in_time()
        self._shaken = True

    def _shake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except ssl.SSLCertVerificationError as error:
            in_words(error, self)
            raise

    def _shake_in_time(self) -> None:
        seconds = self._handshake_timeout
        deadline = time.monotonic() + seconds
        patience = self.gettimeout()
        peer = self._peer()
        first = b""
        try:
            self.settimeout(seconds)
            if is_introduced(self.context, peer):
                self._introduce(deadline)
                peer = self.introduced or peer
            first = self._first_bytes(seconds)
            if plain.kind_of(first) is not plain.First.TLS:
                first = self._answer_plain(deadline)
                raise ConnectionResetError(errno.ECONNRESET, "not TLS")
            # CPython makes one deadline of the timeout for the whole handshake.
            self.settimeout(max(0.001, deadline - time.monotonic()))
            self._shake()
        except (OSError, ValueError) as error:
            silent = not first and not isinstance(error, TimeoutError)
            why = self._ended_for or _in_words(error, first, seconds)
            FAILURES.failed(peer, why, level=logging.DEBUG if silent else logging.INFO)
            self._failure = why
            raise HandshakeFailed(why) from error
        finally:
            with contextlib.suppress(OSError):
                self.settimeout(patience)

    def _first_bytes(self, seconds: float) -> bytes:
        if not system.SHUTDOWN_WAKES and not self.wait_until(system.READABLE, seconds):
            raise ConnectionResetError() if self._stopped else TimeoutError()
        return self.peek()

    def _introduce(self, deadline: float) -> None:
        data, found = b"", None
        while found is None:
            self.settimeout(max(0.001, deadline - time.monotonic()))
            data, found = take(self, data)
        self.introduced = found.source

    @property
    def _handshake_timeout(self) -> float:
        # A `ServerContext`'s; others know of none.
        seconds: float = getattr(self.context, "handshake_timeout", 10.0)
        return seconds

    def _peer(self) -> Any:
        try:
            return self.getpeername()
        except OSError:
            return "a client that is gone"

    def peek(self) -> bytes:
        """Up to `FIRST_BYTES` bytes as they came over the wire, without taking them; b"" at its end.

        Raises:
            BlockingIOError: nothing is there (non-blocking only).
            TimeoutError: nothing came (with a timeout).
        """
        return socket.socket.recv(self, FIRST_BYTES, socket.MSG_PEEK)

    def read_plain(self, size: int) -> bytes:
        """Take up to ``size`` bytes as they came over the wire; raises as `peek`. Only before a handshake."""
        return socket.socket.recv(self, size)

    def _answer_plain(self, deadline: float) -> bytes:
        """Read a plain HTTP request's head and answer it; nothing is said to what is neither TLS nor HTTP.

        Returns:
            the first bytes that came.
        """
        data = b""
        while not plain.head_is_whole(data) and plain.kind_of(data) in (plain.First.HTTP, plain.First.INCOMPLETE):
            self.settimeout(max(0.001, deadline - time.monotonic()))
            more = self.read_plain(plain.MAX_HEAD - len(data))
            if not more:
                break
            data += more
        allowed = getattr(self.context, "allowed_host", nobody)
        response = plain.answer(data, allowed)
        if response is not None:
            # Past ssl.SSLSocket, which would encrypt: there is no TLS on this connection.
            socket.socket.sendall(self, response)
            socket.socket.shutdown(self, socket.SHUT_WR)
            self.linger(min(LINGER, deadline - time.monotonic()))
        return data[:FIRST_BYTES]

    def linger(self, seconds: float = LINGER) -> None:
        """Take what still comes after a `shutdown`: closing on unread bytes resets the answer away (RFC 9112, 9.6).

        Arguments:
            seconds: how long the client may take to close.
        """
        deadline = time.monotonic() + seconds
        with contextlib.suppress(OSError):
            while time.monotonic() < deadline:
                self.settimeout(max(0.001, deadline - time.monotonic()))
                if not self.read_plain(65536):
                    return

    def read(self, len: int = 1024, buffer: WriteableBuffer | None = None) -> Any:  # noqa: A002
        """As ssl.SSLSocket.read, after the handshake.

        Raises:
            OSError: the socket is closed. The ssl module has ValueError for that, which nobody takes for the end of a
                connection; another thread may close the socket at any time, as WebSockets do.
        """
        self.do_handshake()
        try:
            return super().read(len, buffer)
        except ValueError:
            self._need_connection()
            raise

    def write(self, data: ReadableBuffer) -> int:
        """As ssl.SSLSocket.write, after the handshake; raises as `read`."""
        self.do_handshake()
        try:
            return super().write(data)
        except ValueError:
            self._need_connection()
            raise

    def send(self, data: ReadableBuffer, flags: int = 0) -> int:
        """As ssl.SSLSocket.send, after the handshake; raises as `read`."""
        self.do_handshake()
        if self._sslobj is None:  # the ssl module would send it unencrypted
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return super().send(data, flags)

    def _need_connection(self) -> None:
        """Raises OSError if this socket is closed."""
        if self._sslobj is None or self.fileno() < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None

    def wait_until(self, events: int, seconds: float | None) -> bool:
        """Wait for one of ``events`` (see `tlsrun.system`); returns whether one came in time.

        Where shutdown(2) wakes nobody, who waits to read looks now and then whether `stop_reading` was called.

        Raises:
            OSError: the socket is closed.
        """
        try:
            if system.SHUTDOWN_WAKES or events != system.READABLE:
                return system.wait_for(self, events, seconds)
            return system.wait_to_read(self, seconds, unless=lambda: self._stopped)
        except ValueError:
            self._need_connection()
            raise

    def wait_for_bytes(self, seconds: float) -> bool:
        """Wait until there is something to read, the client's end of the stream included.

        Outside of OpenSSL, which after `stop_reading` would meet an end without close_notify, take it for an attack
        (alert ``decode_error``), and say no goodbye any more.

        Returns:
            False when nothing came, or `stop_reading` was called and nothing had come before.
        """
        if self.pending():
            return True
        if not self.wait_until(system.READABLE, seconds):
            return False
        return not self._stopped or self.peek() != b""

    def stop_reading(self, why: str | None = None) -> None:
        """Wake the thread that waits for this client: it reads the end of the stream. May be called by any thread.

        Arguments:
            why: for the log, when the handshake fails of it.
        """
        self._ended_for = why
        self._wake_reader()

    def _wake_reader(self) -> None:
        self._stopped = True
        if system.SHUTDOWN_WAKES:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self, socket.SHUT_RD)

    def abort(self) -> None:
        """Break the connection, without a goodbye, so that no client takes it for an end. May be called by any thread.

        The socket is still to be closed.
        """
        self._notified = True
        with contextlib.suppress(OSError):
            # With no time to linger, close() resets (socket(7), SO_LINGER). Shutting down the writing side here would
            # be an orderly end to the client.
            self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._wake_reader()

    def close_notify(self) -> None:
        """Say that no more will come (RFC 8446, section 6.1); never waits, and nobody has to listen."""
        if not self._shaken or self._notified:
            return
        self._notified = True
        # The peer's own close_notify is not waited for: ssl.SSLWantReadError.
        with contextlib.suppress(OSError, ValueError):
            patience = self.gettimeout()
            self.settimeout(0)
            try:
                self.unwrap()
            finally:
                self.settimeout(patience)

    def shutdown(self, how: int) -> None:
        """As socket.shutdown, with a close_notify before the writing side ends."""
        if how != socket.SHUT_RD:
            self.close_notify()
        super().shutdown(how)

    def close(self) -> None:
        """As socket.close, with a close_notify once no file object made from it is open."""
        if self._io_refs <= 0:
            self.close_notify()
        super().close()


def _in_words(error: BaseException, first: bytes, seconds: float) -> str:
    if isinstance(error, proxy_protocol.Malformed):
        return str(error)
    if first:
        return reason(error, first, timeout=seconds)
    if isinstance(error, TimeoutError):
        return f"timed out after {seconds:g} s, without a byte"
    return "client closed, without a byte"

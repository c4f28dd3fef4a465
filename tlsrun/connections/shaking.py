"""The handshake of a server's socket, under one deadline, whoever the client turns out to be."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import ssl
import time
from typing import Any

from tlsrun import system
from tlsrun.connections.handshake import FAILURES, reason
from tlsrun.proxies import proxy_protocol
from tlsrun.proxies.introduction import is_introduced, take
from tlsrun.redirect import plain
from tlsrun.tls.onlooker import in_words

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


class ShakingSocket(ssl.SSLSocket):
    """The part of `tlsrun.connections.sockets.ServerSocket` that shakes hands, and that waits."""

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


def _in_words(error: BaseException, first: bytes, seconds: float) -> str:
    if isinstance(error, proxy_protocol.Malformed):
        return str(error)
    if first:
        return reason(error, first, timeout=seconds)
    if isinstance(error, TimeoutError):
        return f"timed out after {seconds:g} s, without a byte"
    return "client closed, without a byte"

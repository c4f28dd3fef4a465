"""The handshake of a blocking server socket, with one deadline for everything up to TLS."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
import time
from typing import Any

from tlsrun import system
from tlsrun.connections.handshake import FAILURES
from tlsrun.connections.opening import SIGHT, Opening, OpeningStep, Then
from tlsrun.tls.handshake_messages import in_words

#: Seconds to wait, after the last byte that we send, for a client to close.
LINGER = 1.0


class HandshakeFailed(ConnectionResetError):
    """A handshake that failed. It is already logged; the socket only needs to be closed.

    A ConnectionResetError, because every server takes that for a client that went away.
    """

    def __init__(self, why: str) -> None:
        super().__init__(errno.ECONNRESET, f"TLS handshake failed: {why}")


class HandshakingSocket(ssl.SSLSocket):
    """The part of `tlsrun.connections.sockets.ServerSocket` that does the handshake, and the waiting."""

    tls_sni: str | None = None
    hello: bytes | None = None
    shown: bytes | None = None
    refusal: str | None = None
    proxied_client: tuple[str, int] | None = None
    _shaken = False
    _failure: str | None = None
    _notified = False
    _stopped = False
    _ended_for: str | None = None
    _sslobj: Any  # of ssl.SSLSocket: None once there is no TLS any more
    _io_refs: int  # of socket.socket: file objects made from this socket that are still open

    def do_handshake(self, block: bool = False) -> None:
        """Do the handshake, once.

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
        # Only a `ServerContext` has one.
        opening = Opening(self.context, self._peer(), getattr(self.context, "handshake_timeout", 10.0))
        deadline = time.monotonic() + opening.seconds
        patience = self.gettimeout()
        cause: Exception | None = None
        try:
            try:
                step = self._open(opening, deadline)
                if step.then is Then.SHAKE:
                    # CPython treats the timeout as a deadline for the whole handshake.
                    self._end_by(deadline)
                    self._shake()
                    return
            except (OSError, ValueError) as error:
                step, cause = opening.fail(error), error
            self._failure = self._ended_for or step.words
            FAILURES.failed(opening.peer, self._failure, level=step.level)
            self._part(step, deadline)
            raise HandshakeFailed(self._failure) from cause
        finally:
            self.proxied_client = opening.proxied_client
            with contextlib.suppress(OSError):
                self.settimeout(patience)

    def _open(self, opening: Opening, deadline: float) -> OpeningStep:
        """Handle what comes before TLS; returns the step that ends it."""
        step = OpeningStep()
        while step.then is Then.READ:
            self._end_by(deadline)
            if not system.SHUTDOWN_WAKES and not self.wait_until(system.READABLE, self.gettimeout()):
                raise ConnectionResetError() if self._stopped else TimeoutError()
            step = opening.see(self.peek())
            if step.take:
                self.read_plain(step.take)
        return step

    def _part(self, step: OpeningStep, deadline: float) -> None:
        """There will be no TLS: send what the step says, and give the client time to read it."""
        if step.then is Then.LINGER:
            with contextlib.suppress(OSError):
                # Past ssl.SSLSocket, which would encrypt.
                self._end_by(deadline)
                socket.socket.sendall(self, step.send)
                socket.socket.shutdown(self, socket.SHUT_WR)
                self.linger(min(LINGER, deadline - time.monotonic()))

    def _end_by(self, deadline: float) -> None:
        """Make blocking calls time out at ``deadline``."""
        self.settimeout(max(0.001, deadline - time.monotonic()))

    def _peer(self) -> Any:
        try:
            return self.getpeername()
        except OSError:
            return "a client that is gone"

    def peek(self) -> bytes:
        """Up to `SIGHT` raw bytes from the wire, without taking them; b"" at the end of the stream.

        Raises:
            BlockingIOError: nothing is there (non-blocking only).
            TimeoutError: nothing came (with a timeout).
        """
        return socket.socket.recv(self, SIGHT, socket.MSG_PEEK)

    def read_plain(self, size: int) -> bytes:
        """Take up to ``size`` raw bytes from the wire; raises as `peek`. Only before a handshake."""
        return socket.socket.recv(self, size)

    def linger(self, seconds: float = LINGER) -> None:
        """Read and discard what still comes after a `shutdown`: a lingering close (RFC 9112, section 9.6).

        Closing with unread bytes would send a reset, which destroys the answer.

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

        Where shutdown(2) does not wake a reader, the wait checks periodically whether `stop_reading` was called.

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

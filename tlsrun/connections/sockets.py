"""Server sockets that do no handshake in accept(): the connection's own thread does it, with one deadline."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from typing import TYPE_CHECKING, Any

from tlsrun import system
from tlsrun.connections.handshaking import HandshakingSocket

if TYPE_CHECKING:
    from typing_extensions import Buffer


class ServerSocket(HandshakingSocket):
    """The server's side of one connection.

    A blocking socket does its handshake at the first read, write or `do_handshake`, within its context's
    ``handshake_timeout``, however slowly the client sends. A non-blocking one (``settimeout(0)``) leaves that to its
    owner: `do_handshake` raises SSLWantReadError or SSLWantWriteError, and the owner enforces the deadline.

    Attributes:
        tls_sni: the name that the client asked for (RFC 6066, section 3); None if it sent none.
        proxied_client: the client's address and port from a trusted proxy's PROXY header; None without one.
        hello, shown, refusal: of `tlsrun.tls.handshake_messages`, during the handshake.
    """

    def read(self, len: int = 1024, buffer: Buffer | None = None) -> Any:  # noqa: A002
        """As ssl.SSLSocket.read, after the handshake.

        Raises:
            OSError: the socket is closed. The ssl module raises ValueError then, which servers do not treat as the end
                of a connection; another thread may close the socket at any time, as with WebSockets.
        """
        self.do_handshake()
        try:
            return super().read(len, buffer)
        except ValueError:
            self._need_connection()
            raise

    def write(self, data: Buffer) -> int:
        """As ssl.SSLSocket.write, after the handshake; raises as `read`."""
        self.do_handshake()
        try:
            return super().write(data)
        except ValueError:
            self._need_connection()
            raise

    def send(self, data: Buffer, flags: int = 0) -> int:
        """As ssl.SSLSocket.send, after the handshake; raises as `read`."""
        self.do_handshake()
        if self._sslobj is None:  # the ssl module would send it unencrypted
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return super().send(data, flags)

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

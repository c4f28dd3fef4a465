"""Reads from a client with a time limit each for the next request, a whole head, and more of a body."""

from __future__ import annotations

import time

from tlsrun.connections.presence import ClientGone as ClientGone
from tlsrun.http1.head import Head
from tlsrun.http1.inbox import Inbox
from tlsrun.http1.refusal import Refused
from tlsrun.servers.builtin.nonblocking_socket import NonblockingSocket

_AT_ONCE = 65536


class Reader:
    """Reads a connection; bytes that were read too early are kept for the next request.

    Arguments:
        sock: the connection, after its handshake.
    """

    __slots__ = ("_inbox", "_sock")

    def __init__(self, sock: NonblockingSocket) -> None:
        self._sock = sock
        self._inbox = Inbox()

    @property
    def has_more(self) -> bool:
        """Whether bytes were read that nobody has taken."""
        return self._inbox.size > 0

    def wait(self, seconds: float) -> bool:
        """Wait for the first byte of a request.

        Returns:
            False if the client closed, or sent nothing for ``seconds``.
        """
        inbox = self._inbox
        if not inbox.size:
            try:
                data = self._sock.read_at_once(_AT_ONCE)
                if data is None and self._sock.wait_for_bytes(seconds):
                    data = self._receive(seconds)
            except (OSError, ValueError):
                return False
            if not data:
                return False
            inbox.put(data)
        return True

    def head(self, seconds: float) -> Head:
        """Take out a whole request head.

        Arguments:
            seconds: time for the whole head.

        Raises:
            Refused: it is too slow (408), too long, or malformed.
            ClientGone: the client closed in the middle of it.
        """
        deadline = 0.0
        while (head := self._inbox.next_head()) is None:
            now = time.monotonic()
            deadline = deadline or now + seconds
            if now >= deadline:
                raise Refused(408, f"The request's head was not whole after {seconds:g} s.")
            try:
                more = self._receive(deadline - now)
            except TimeoutError:
                continue
            if not more:
                raise ClientGone("closed in a request's head")
            self._inbox.put(more)
        return head

    def some(self, size: int, seconds: float) -> bytes:
        """Take out up to ``size`` bytes; b"" at the end of the stream.

        Raises:
            ClientGone: nothing came for ``seconds``, or the connection broke.
        """
        if not self._inbox.size:
            # Read directly: nothing is read too early.
            return self._receive(seconds, size)
        return self._inbox.take(size)

    def put_back(self, data: bytes) -> None:
        """Give back bytes that belong to the next request."""
        self._inbox.put_back(data)

    def _receive(self, seconds: float, size: int = _AT_ONCE) -> bytes:
        self._sock.settimeout(seconds)
        try:
            return self._sock.recv(min(size, _AT_ONCE))
        except TimeoutError as error:
            raise SilentClient(f"nothing came for {seconds:g} s") from error
        except (OSError, ValueError) as error:
            raise ClientGone(str(error)) from error


class SilentClient(ClientGone, TimeoutError):
    """The client is connected and sends nothing."""

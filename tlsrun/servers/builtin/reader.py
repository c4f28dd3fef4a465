"""Bytes from one client, each wait bounded: for the next request, for a whole head, for more of a body."""

from __future__ import annotations

import time

from tlsrun.edge.refusal import Refused, malformed
from tlsrun.servers.builtin.head import end_of_head
from tlsrun.servers.builtin.patient import PatientSocket

_AT_ONCE = 65536
_EMPTY = 4  # bytes of line ends before a request line (RFC 9112, section 2.2, has one line skipped)


class ClientGone(ConnectionError):
    """The client closed, reset, or kept us waiting for too long: there is nobody to answer."""


class Reader:
    """Reads a connection; what was read too much stays for the next request.

    Arguments:
        sock: the connection, after its handshake.
    """

    __slots__ = ("_data", "_sock")

    def __init__(self, sock: PatientSocket) -> None:
        self._sock = sock
        self._data = b""

    @property
    def has_more(self) -> bool:
        """Whether something was read that nobody has taken."""
        return bool(self._data)

    def wait(self, seconds: float) -> bool:
        """Wait for the first byte of a request.

        Returns:
            False when the client closed, or said nothing for ``seconds``.
        """
        if not self._data:
            try:
                data = self._sock.read_at_once(_AT_ONCE)
                if data is None and self._sock.wait_for_bytes(seconds):
                    data = self._receive(seconds)
                self._data = data or b""
            except (OSError, ValueError):
                return False
        return bool(self._data)

    def head(self, seconds: float) -> bytes:
        """Take out a whole request head, without the empty line behind it.

        Arguments:
            seconds: for all of it, however slowly it comes.

        Raises:
            Refused: it is too slow (408), too long, or can be no good one.
            ClientGone: the client closed in the middle of it.
        """
        deadline = 0.0
        seen = 0
        self._skip_empty_lines()
        while (end := end_of_head(self._data, seen=seen)) < 0:
            seen = len(self._data)
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
            self._data += more
            seen = max(0, seen - self._skip_empty_lines())
        head, self._data = self._data[:end], self._data[end + 4 :]
        return head

    def some(self, size: int, seconds: float) -> bytes:
        """Take out up to ``size`` bytes; b"" at the end of the stream.

        Raises:
            ClientGone: nothing came for ``seconds``, or the connection broke.
        """
        if not self._data:
            # Straight through: nothing is read too much.
            return self._receive(seconds, size)
        data, self._data = self._data[:size], self._data[size:]
        return data

    def put_back(self, data: bytes) -> None:
        """Give back what belongs to the next request."""
        self._data = data + self._data

    def _skip_empty_lines(self) -> int:
        """Returns how many bytes were taken away; as long as there is nothing else, they stay."""
        stripped = self._data.lstrip(b"\r\n")
        skipped = len(self._data) - len(stripped)
        if skipped > _EMPTY:
            raise malformed("empty lines before the request")
        if not stripped:
            return 0
        self._data = stripped
        return skipped

    def _receive(self, seconds: float, size: int = _AT_ONCE) -> bytes:
        self._sock.settimeout(seconds)
        try:
            return self._sock.recv(min(size, _AT_ONCE))
        except TimeoutError as error:
            raise SilentClient(f"nothing came for {seconds:g} s") from error
        except (OSError, ValueError) as error:
            raise ClientGone(str(error)) from error


class SilentClient(ClientGone, TimeoutError):
    """The client is there and says nothing."""

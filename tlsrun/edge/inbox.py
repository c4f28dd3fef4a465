"""What came from a client and is not dealt with yet; request heads are cut out of it. Pure: no I/O."""

from __future__ import annotations

from tlsrun.edge.head import Heads, Request, check_part
from tlsrun.edge.limits import Limits
from tlsrun.edge.refusal import malformed

_EMPTY = 4  # bytes of line ends before a request line (RFC 9112, section 2.2, has one line skipped)


class Inbox:
    """Bytes in order.

    Arguments:
        limits: of a head.
        trusted: what comes is a trusted proxy's.

    Attributes:
        size: how many bytes are there.
    """

    __slots__ = ("_at", "_data", "_heads", "_limits", "_seen", "size")

    def __init__(self, limits: Limits, *, trusted: bool = False) -> None:
        self._limits = limits
        self._heads = Heads(limits, trusted=trusted)
        self._data = b""
        self._at = 0  # where what is left begins
        self._seen = 0  # up to where an unfinished head was looked at
        self.size = 0

    def put(self, data: bytes) -> None:
        """Add what came."""
        if self.size:
            data = self._data[self._at :] + data
            self._seen -= self._at
        else:
            self._seen = 0
        self._data = data
        self._at = 0
        self.size = len(data)

    def take(self, size: int | None = None) -> bytes:
        """Take out the first ``size`` bytes or fewer; all with None."""
        end = len(self._data) if size is None else min(self._at + size, len(self._data))
        data = self._data[self._at : end]
        self._advance(end)
        return data

    def next_request(self) -> Request | None:
        """Take out the next head.

        Returns:
            None as long as it is not whole.

        Raises:
            Refused: it can be no good one.
        """
        data, at = self._data, self._at
        while data.startswith(b"\r\n", at):
            at += 2
        if at - self._at > _EMPTY:
            raise malformed("empty lines before the request")
        seen = self._seen - 3
        end = data.find(b"\r\n\r\n", seen if seen > at else at)
        if end < 0:
            check_part(data[at:], self._limits, max(0, self._seen - at))
            self._seen = len(data)
            return None
        request = self._heads.read(data[at:end])
        self._advance(end + 4)
        return request

    def _advance(self, end: int) -> None:
        self._at = self._seen = end
        self.size = len(self._data) - end
        if not self.size:
            self._data = b""
            self._at = self._seen = 0

"""Received bytes that are not processed yet, and the request heads in them. Pure: no I/O."""

from __future__ import annotations

from tlsrun.http1.head import Head, Heads, check_part
from tlsrun.http1.limits import LIMITS, HeadLimits
from tlsrun.http1.refusal import malformed


class Inbox:
    """A receive buffer that request heads are taken from.

    Arguments:
        limits: of a head.

    Attributes:
        size: the number of bytes in the buffer.
    """

    __slots__ = ("_at", "_data", "_heads", "_limits", "_passed", "_seen", "size")

    def __init__(self, limits: HeadLimits = LIMITS) -> None:
        self._limits = limits
        self._heads = Heads(limits)
        self._data = b""
        self._at = 0  # start of the unprocessed bytes
        self._seen = 0  # end of what was searched for the end of a head
        self._passed = False  # an empty line was skipped before this head
        self.size = 0

    def put(self, data: bytes) -> None:
        """Append received bytes."""
        if self.size:
            data = self._data[self._at :] + data
            self._seen -= self._at
        else:
            self._seen = 0
        self._data = data
        self._at = 0
        self.size = len(data)

    def put_back(self, data: bytes) -> None:
        """Put back bytes that were taken, but belong to the next request."""
        rest = self.take()
        self.put(data + rest)
        self._seen = 0

    def peek(self) -> bytes:
        """All the bytes, which stay in the buffer."""
        return self._data[self._at :]

    def take(self, size: int | None = None) -> bytes:
        """Remove and return the first ``size`` bytes, or all that there are; None for all."""
        end = len(self._data) if size is None else min(self._at + size, len(self._data))
        data = self._data[self._at : end]
        self._advance(end)
        return data

    def next_head(self) -> Head | None:
        """Remove and parse the next head.

        Returns:
            None as long as it is incomplete.

        Raises:
            Refused: it is not, or cannot become, a valid one.
        """
        data, at = self._data, self._at
        if data.startswith(b"\r\n", at):
            # RFC 9112, section 2.2: skip one empty line before a request.
            if self._passed:
                raise malformed("empty lines before the request")
            self._passed = True
            self._advance(at + 2)
            data, at = self._data, self._at
        seen = self._seen - 3
        end = data.find(b"\r\n\r\n", seen if seen > at else at)
        if end < 0:
            if self.size:
                check_part(data[at:], self._limits, max(0, self._seen - at))
            self._seen = len(data)
            return None
        head = self._heads.read(data[at:end])
        self._passed = False
        self._advance(end + 4)
        return head

    def _advance(self, end: int) -> None:
        self._at = self._seen = end
        self.size = len(self._data) - end
        if not self.size:
            self._data = b""
            self._at = self._seen = 0

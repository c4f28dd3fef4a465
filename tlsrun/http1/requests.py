"""What a client sends over HTTP/1.1, as a head, the parts of a body, the next head. Pure."""

from __future__ import annotations

from tlsrun.http1.body import BodyReader
from tlsrun.http1.head import Head
from tlsrun.http1.inbox import Inbox
from tlsrun.http1.refusal import malformed


class Requests:
    """Those of one connection.

    Attributes:
        whole: nothing more of the request at hand is to come.
    """

    __slots__ = ("_body", "_ended", "_inbox", "whole")

    def __init__(self) -> None:
        self._inbox = Inbox()
        self._body: BodyReader | None = None
        self._ended = False
        self.whole = True

    @property
    def waiting(self) -> int:
        """Bytes that have come and were not asked for."""
        return self._inbox.size

    def put(self, data: bytes) -> None:
        """Keep what came; b"" is the end."""
        if data:
            self._inbox.put(data)
        else:
            self._ended = True

    def next(self) -> Head | bytes | None:
        """The head of a request, or some of a body, which may be none; None as long as more has to come.

        Raises:
            Refused: it is no good request, or it broke off; nothing behind it is to be trusted.
        """
        body = self._body
        if body is None:
            head = self._inbox.next_head()
            if head is not None and (head.chunked or head.length):
                self._body = BodyReader(head.length, malformed)
                self.whole = False
            return head
        data = self._inbox.take()
        if not data:
            if self._ended:
                raise malformed("a body that breaks off")
            return None
        pieces, rest = body.feed(data)
        if rest:
            self._inbox.put(rest)
        if body.done:
            self._body, self.whole = None, True
        return b"".join(pieces)

"""Splits what a client sends over HTTP/1.1 into a head, the parts of its body, the next head, … Pure."""

from __future__ import annotations

from tlsrun.http1.body import BodyReader
from tlsrun.http1.head import Head
from tlsrun.http1.inbox import Inbox
from tlsrun.http1.refusal import malformed


class Requests:
    """The requests of one connection.

    Attributes:
        whole: the current request is complete.
    """

    __slots__ = ("_body", "_ended", "_inbox", "whole")

    def __init__(self) -> None:
        self._inbox = Inbox()
        self._body: BodyReader | None = None
        self._ended = False
        self.whole = True

    @property
    def waiting(self) -> int:
        """Bytes that were received, and that `next` has not used yet."""
        return self._inbox.size

    def put(self, data: bytes) -> None:
        """Add what was received; b"" is the end of the stream."""
        if data:
            self._inbox.put(data)
        else:
            self._ended = True

    def next(self) -> Head | bytes | None:
        """The head of a request, or a part of its body, which may be empty; None until more was received.

        Raises:
            Refused: the request is malformed, or broke off; nothing after it can be trusted.
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

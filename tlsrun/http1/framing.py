"""How an answer's body ends for its client, and what that means for the connection (RFC 9112, section 6.3). Pure."""

from __future__ import annotations

from tlsrun.http1.head import Head

#: About one connection only (RFC 9110, section 7.6.1): the server's to say, not the application's (PEP 3333).
HOP_BY_HOP = frozenset(("connection", "keep-alive", "transfer-encoding", "proxy-connection", "te", "trailer"))


_WITHOUT_BODY = frozenset((204, 304))


class Unfinished(Exception):
    """An answer is shorter than it has announced; its client must notice that it is not whole.

    Arguments:
        length: in bytes, that was announced.
        size: bytes that came.
    """

    def __init__(self, length: int, size: int) -> None:
        super().__init__(f"Content-Length was {length}, and {size} bytes came")


def content_length(values: list[bytes]) -> int | None:
    """The length that the values of an answer's Content-Length say; None without one.

    Raises:
        ValueError: not one number.
    """
    if not values:
        return None
    first = values[0]
    if not first.isdigit() or len(first) > 18 or values.count(first) != len(values):
        raise ValueError(f"no Content-Length: {b', '.join(values)!r}")
    return int(first)


def has_no_body(method: bytes, status: int) -> bool:
    """Whether no body follows an answer's head, whatever the head says (RFC 9112, section 6.3)."""
    return status in _WITHOUT_BODY or status < 200 or method == b"HEAD"


class AnswerFraming:
    """Of one answer.

    Arguments:
        request: what is answered.
        status: of the answer.
        length: of its body in bytes; None when that is not known.
        keeps: whether the connection may go on afterwards.

    Attributes:
        lines: those of the head that say it, each ended by CRLF.
        keeps: the connection goes on.
        without_body: nothing follows the head.
        size: bytes of the body that were framed.
    """

    __slots__ = ("_chunked", "_left", "keeps", "lines", "size", "without_body")

    def __init__(self, request: Head, status: int, length: int | None, *, keeps: bool) -> None:
        self.without_body = without = status in _WITHOUT_BODY or status < 200 or request.method == b"HEAD"
        self.size = 0
        self._chunked = False
        self._left = -1  # bytes that were announced, and have not come; fewer than 0 where nothing was
        lines = b""
        if length is not None:
            if status >= 200 and status != 204:  # RFC 9110, section 8.6
                lines = b"Content-Length: %d\r\n" % length
            if not without:
                self._left = length
        elif without:
            pass
        elif request.http10:
            keeps = False  # its end is the body's
        else:
            self._chunked = True
            lines = b"Transfer-Encoding: chunked\r\n"
        if not keeps:
            lines += b"Connection: close\r\n"
        elif request.http10:
            lines += b"Connection: keep-alive\r\n"
        self.lines = lines
        self.keeps = keeps

    def frame(self, data: bytes) -> bytes:
        """A part of the body, for the client; of what is more than was announced, nothing.

        More would be read as the beginning of the next answer; `keeps` is False then.
        """
        if self.without_body or not data:
            return b""
        size = len(data)
        if self._chunked:
            self.size += size
            return b"%x\r\n%b\r\n" % (size, data)
        left = self._left
        if left >= 0:
            if size > left:
                data, size = data[:left], left
                self.keeps = False
            self._left = left - size
        self.size += size
        return data

    def end(self) -> bytes:
        """What tells the client that the body has ended.

        Raises:
            Unfinished: it has not.
        """
        if self._chunked:
            return b"0\r\n\r\n"
        if self._left > 0:
            raise Unfinished(self.size + self._left, self.size)
        return b""

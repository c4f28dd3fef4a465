"""How a response's body is framed, and whether the connection stays open (RFC 9112, sections 6.3 and 9.3). Pure."""

from __future__ import annotations

from tlsrun.http1.head import Head

#: Hop-by-hop headers (RFC 9110, section 7.6.1), which the server sets, and the application must not (PEP 3333).
HOP_BY_HOP = frozenset(("connection", "keep-alive", "transfer-encoding", "proxy-connection", "te", "trailer"))


_WITHOUT_BODY = frozenset((204, 304))


class Unfinished(Exception):
    """A response is shorter than announced; its client must notice that it is incomplete.

    Arguments:
        length: the announced length, in bytes.
        size: bytes that there were.
    """

    def __init__(self, length: int, size: int) -> None:
        super().__init__(f"Content-Length was {length}, and {size} bytes came")


def content_length(values: list[bytes]) -> int | None:
    """The length stated by the values of a response's Content-Length, in bytes; None without one.

    Raises:
        ValueError: they are not one number.
    """
    if not values:
        return None
    first = values[0]
    if not first.isdigit() or len(first) > 18 or values.count(first) != len(values):
        raise ValueError(f"no Content-Length: {b', '.join(values)!r}")
    return int(first)


def has_no_body(method: bytes, status: int) -> bool:
    """Whether no body follows a response's head, whatever the head says (RFC 9112, section 6.3)."""
    return status in _WITHOUT_BODY or status < 200 or method == b"HEAD"


class AnswerFraming:
    """The framing of one response.

    Arguments:
        request: the request that is answered.
        status: of the response.
        length: of its body, in bytes; None if it is not known.
        keeps: whether the connection may stay open afterwards.

    Attributes:
        lines: the header lines that state the framing, each with its CRLF.
        keeps: the connection stays open.
        without_body: nothing follows the head.
        size: bytes of the body framed so far.
    """

    __slots__ = ("_chunked", "_left", "keeps", "lines", "size", "without_body")

    def __init__(self, request: Head, status: int, length: int | None, *, keeps: bool) -> None:
        self.without_body = without = status in _WITHOUT_BODY or status < 200 or request.method == b"HEAD"
        self.size = 0
        self._chunked = False
        self._left = -1  # announced bytes that are still to come; negative if no length was announced
        lines = b""
        if length is not None:
            if status >= 200 and status != 204:  # RFC 9110, section 8.6
                lines = b"Content-Length: %d\r\n" % length
            if not without:
                self._left = length
        elif without:
            pass
        elif request.http10:
            keeps = False  # the body ends with the connection
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
        """Frame a part of the body for the client; bytes beyond the announced length are dropped.

        The client would take them for the beginning of the next response. `keeps` is False then.
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
        """The bytes that tell the client that the body has ended.

        Raises:
            Unfinished: the body is shorter than announced.
        """
        if self._chunked:
            return b"0\r\n\r\n"
        if self._left > 0:
            raise Unfinished(self.size + self._left, self.size)
        return b""

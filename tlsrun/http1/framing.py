"""How an answer's body ends for its client, and what that means for the connection (RFC 9112, section 6.3). Pure."""

from __future__ import annotations

from tlsrun.http1.head import Head

#: About one connection only (RFC 9110, section 7.6.1): the server's to say, not the application's (PEP 3333).
HOP_BY_HOP = frozenset(("connection", "keep-alive", "transfer-encoding", "proxy-connection", "te", "trailer"))


def has_no_body(method: bytes, status: int) -> bool:
    """Whether no body follows an answer's head, whatever the head says (RFC 9112, section 6.3)."""
    return status < 200 or status in (204, 304) or method == b"HEAD"


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
        missing: bytes that were announced, and have not come; 0 where nothing was.
    """

    __slots__ = ("_chunked", "_known", "keeps", "lines", "missing", "size", "without_body")

    def __init__(self, request: Head, status: int, length: int | None, *, keeps: bool) -> None:
        self.without_body = without = has_no_body(request.method, status)
        self._known = length is not None
        self._chunked = False
        lines = b""
        if length is not None:
            if status >= 200 and status != 204:  # RFC 9110, section 8.6
                lines = b"Content-Length: %d\r\n" % length
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
        self.size = 0
        self.missing = 0 if without or length is None else length

    def frame(self, data: bytes) -> bytes:
        """A part of the body, for the client; of what is more than was announced, nothing.

        More would be read as the beginning of the next answer; `keeps` is False then.
        """
        if self.without_body or not data:
            return b""
        if self._chunked:
            self.size += len(data)
            return b"%x\r\n%b\r\n" % (len(data), data)
        if self._known:
            if len(data) > self.missing:
                data = data[: self.missing]
                self.keeps = False
            self.missing -= len(data)
        self.size += len(data)
        return data

    def end(self) -> bytes:
        """What tells the client that the body has ended."""
        return b"0\r\n\r\n" if self._chunked else b""

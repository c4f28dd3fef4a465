"""The error response to a request that is refused."""

from __future__ import annotations

import http

#: Reason phrases of RFC 9110, section 15; http.HTTPStatus has older ones for some of them.
_PHRASES = {
    400: "Bad Request",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    417: "Expectation Failed",
    421: "Misdirected Request",
    431: "Request Header Fields Too Large",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
    507: "Insufficient Storage",
}


def phrase(status: int) -> str:
    """The reason phrase of a status."""
    return _PHRASES.get(status) or http.HTTPStatus(status).phrase


class Refused(Exception):
    """A request that is refused before it reaches the application.

    Arguments:
        status: the HTTP status.
        words: what is wrong, in one sentence for a person.
        headers: further header lines, each with CRLF.
    """

    def __init__(self, status: int, words: str, headers: bytes = b"") -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.headers = headers

    @property
    def body(self) -> bytes:
        """The body: the words as plain text."""
        return f"{self.status} {_PHRASES[self.status]}\n{self.words}\n".encode()

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The headers of the response, without Connection and Date."""
        more = [line.decode("ascii").partition(": ")[::2] for line in self.headers.split(b"\r\n") if line]
        return [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(self.body))), *more]

    def response(self, *, date: bytes, keep_alive: bool = False, http10: bool = False, head: bool = False) -> bytes:
        """The whole response.

        Arguments:
            date: the Date header line, with CRLF.
            keep_alive: False adds ``Connection: close``.
            http10: the client speaks HTTP/1.0 and must be told of the connection's persistence.
            head: whether the method was HEAD: then there is no body.
        """
        body = self.body
        lines = (
            f"HTTP/1.1 {self.status} {_PHRASES[self.status]}\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\n"
        )
        persistence = b"" if keep_alive else b"Connection: close\r\n"
        if keep_alive and http10:
            persistence = b"Connection: keep-alive\r\n"
        return b"".join((lines.encode(), date, self.headers, persistence, b"\r\n", b"" if head else body))


def malformed(words: str) -> Refused:
    """A 400 for a request that violates RFC 9112; close the connection, as its framing cannot be trusted."""
    return Refused(400, f"Malformed request: {words}.")

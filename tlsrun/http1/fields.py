"""A request's header lines (RFC 9112, section 5): bytes in, `Fields` or a refusal out.

llhttp reads the lines, by way of httptools: every line ends with CRLF and with nothing else; no control character but
tab in values; no folded lines; a token, a colon and a value. What is said of the body's length must leave no choice:
whatever two parsers could read differently is refused, so that nobody can smuggle a request.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import httptools

from tlsrun.http1.authority import parse_authority
from tlsrun.http1.limits import HeadLimits
from tlsrun.http1.refusal import Refused, malformed

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2

# llhttp knows a fixed list of methods, and accepts raw bytes in targets. So we parse the request line ourselves
# (`tlsrun.http1.head`), and give llhttp one that it knows, of a request that may have a body.
_ANY_REQUEST = b"POST / HTTP/1.1\r\n%b\r\n\r\n"

#: Headers that decide how the request is handled: each may occur only once, except for lists.
_DECIDING = frozenset((b"host", b"content-length", b"content-type", b"expect", b"transfer-encoding", b"connection"))
_LISTS = frozenset((b"transfer-encoding", b"connection"))

#: llhttp's error reasons (src/llhttp/http.ts), reworded for the client; others are passed on as they are.
_REASONS = {
    "Invalid header token": "a header line that is not a name, a colon and a value",
    "Unexpected space after start line": "a header line that is not a name, a colon and a value",
    "Unexpected whitespace after header value": "a folded header line",
    "Missing expected LF after header value": "a line that ends with a bare CR or LF",
    "Missing expected CR after header value": "a line that ends with a bare CR or LF",
    "Invalid header value char": "a control character",
    "Transfer-Encoding can't be present with Content-Length": "both Content-Length and Transfer-Encoding",
    "Content-Length can't be present with Transfer-Encoding": "both Content-Length and Transfer-Encoding",
}


class Fields(NamedTuple):
    """The header lines of a request, and what they mean for it.

    Arguments:
        lines: all of them in order: names as received, values without surrounding whitespace.
        host: the Host header as received; None without one.
        content_type: None without one.
        length: the Content-Length; None without one.
        chunked: whether the body is chunked.
        close, keep_alive: whether Connection asks for these.
        connection: the other headers that Connection lists, in lower case: they are for the next hop only.
        expects: whether there is ``Expect: 100-continue``.
    """

    lines: tuple[tuple[bytes, bytes], ...]
    host: bytes | None
    content_type: bytes | None
    length: int | None
    chunked: bool
    close: bool
    keep_alive: bool
    connection: frozenset[bytes]
    expects: bool


class _Lines:
    """The callbacks of httptools: collects the lines."""

    __slots__ = ("found", "whole")

    def __init__(self) -> None:
        self.found: list[tuple[bytes, bytes]] = []
        self.whole = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.found.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        self.whole = True


def parse_fields(block: bytes, limits: HeadLimits) -> Fields:
    """Parse header lines.

    Arguments:
        block: the bytes between the request line and the empty line, without the CRLF at either end.

    Raises:
        Refused: 400, 417 or 431.
    """
    number = block.count(b"\r\n") + 1 if block else 0
    if number > limits.fields:
        raise Refused(431, f"The request has more than {limits.fields} header lines.")
    lines = _Lines()
    try:
        httptools.HttpRequestParser(lines).feed_data(_ANY_REQUEST % block)
    except httptools.HttpParserUpgrade:
        pass  # whether to upgrade is the application's choice
    except httptools.HttpParserError as error:
        raise malformed(_REASONS.get(str(error), str(error))) from None
    if not lines.whole or len(lines.found) != number:
        raise malformed("a header line that is not a name, a colon and a value")
    return decide(tuple(lines.found))


def decide(lines: tuple[tuple[bytes, bytes], ...]) -> Fields:
    """Interpret well-formed header lines.

    Raises:
        Refused: 400 or 417.
    """
    said: dict[bytes, bytes] = {}
    for name, value in lines:
        lower = name.lower()
        if lower in _DECIDING:
            if lower in said:
                if lower not in _LISTS:
                    raise malformed(f"{lower.decode('ascii').title()} is there twice")
                value = said[lower] + b", " + value
            said[lower] = value
    host = said.get(b"host")
    if host is not None:
        parse_authority(host)
    expectation = said.get(b"expect")
    if expectation is not None and expectation.lower() != b"100-continue":
        raise Refused(417, "The only expectation that this server knows is 100-continue.")
    options = connection_options(said[b"connection"]) if b"connection" in said else frozenset()
    length, chunked = _framing(said)
    return Fields(
        lines=lines,
        host=host,
        content_type=said.get(b"content-type"),
        length=length,
        chunked=chunked,
        close=b"close" in options,
        keep_alive=b"keep-alive" in options,
        connection=options - {b"close", b"keep-alive", b""},
        expects=expectation is not None,
    )


def connection_options(value: bytes) -> frozenset[bytes]:
    """The options in a Connection header (RFC 9110, section 7.6.1).

    Raises:
        Refused: 400, something that is no header's name.
    """
    options = frozenset(option.strip(b" \t") for option in value.lower().split(b","))
    if any(option and TOKEN.fullmatch(option) is None for option in options):
        raise malformed("Connection names something that is no header")
    return options


def _framing(said: dict[bytes, bytes]) -> tuple[int | None, bool]:
    """Content-Length, and whether the body is chunked (RFC 9112, section 6)."""
    coding, length = said.get(b"transfer-encoding"), said.get(b"content-length")
    if coding is not None:
        if length is not None:
            raise malformed("both Content-Length and Transfer-Encoding")
        if coding.lower() != b"chunked":
            raise malformed("a Transfer-Encoding other than chunked")
        return None, True
    if length is None:
        return None, False
    # bytes.isdigit() accepts only 0 to 9. A longer number would overflow somewhere.
    if not length.isdigit() or len(length) > 18:
        raise malformed("a Content-Length that is not a number")
    return int(length), False

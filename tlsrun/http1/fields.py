"""A request's header lines (RFC 9112, section 5): bytes in, what they say out, or a refusal.

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

# llhttp knows a fixed list of methods, and raw bytes in targets are no fault to it: the request line is ours to read
# (`tlsrun.http1.head`), and what it gets is one that it knows, of a request that may have a body.
_ANY_REQUEST = b"POST / HTTP/1.1\r\n%b\r\n\r\n"

#: Headers that decide about the request: each may come once only, but for the lists.
_DECIDING = frozenset((b"host", b"content-length", b"content-type", b"expect", b"transfer-encoding", b"connection"))
_LISTS = frozenset((b"transfer-encoding", b"connection"))

#: llhttp's reasons (src/llhttp/http.ts) in words for whoever sent the request; others are handed on as they are.
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
    """What the header lines of one request say.

    Arguments:
        lines: all of them in order: names as they came, values without the space around them.
        host: the Host as it came; None without one.
        content_type: None without one.
        length: the Content-Length; None without one.
        chunked: the body comes in chunks.
        close, keep_alive: what Connection asks for.
        connection: in lower case, the headers that Connection names beside these: they are meant for the next hop only.
        expects: there is an expectation, and it is 100-continue.
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
    """Told by httptools of every line."""

    __slots__ = ("found", "whole")

    def __init__(self) -> None:
        self.found: list[tuple[bytes, bytes]] = []
        self.whole = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.found.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        self.whole = True


def parse_fields(block: bytes, limits: HeadLimits) -> Fields:
    """Read header lines.

    Arguments:
        block: between the request line and the empty line, without the CRLF at both ends.

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
        pass  # whether to change the protocol is the application's choice
    except httptools.HttpParserError as error:
        raise malformed(_REASONS.get(str(error), str(error))) from None
    if not lines.whole or len(lines.found) != number:
        raise malformed("a header line that is not a name, a colon and a value")
    return decide(tuple(lines.found))


def decide(lines: tuple[tuple[bytes, bytes], ...]) -> Fields:
    """What well-formed header lines say.

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
    """What Connection lists (RFC 9110, section 7.6.1).

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
    # bytes.isdigit() is true for 0 to 9 alone; more digits are a size that overflows somewhere.
    if not length.isdigit() or len(length) > 18:
        raise malformed("a Content-Length that is not a number")
    return int(length), False

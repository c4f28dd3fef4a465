"""A request's head, strictly by RFC 9112: bytes in, a `Head` or a refusal out. Pure.

What two parsers could read differently is refused: a bare CR or LF, a folded line, a space before a colon, a length
that is said twice or in two ways. Afterwards nothing is trusted, and the connection is closed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from tlsrun.edge.refusal import Refused, malformed

_REQUEST_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~\x80-\xff]+) HTTP/([0-9])\.([0-9])")
# RFC 9110, section 5.5: no control character but tab in a value. One line each: as many are found as are good.
# The space around a value is not told apart here: two repetitions that match the same take a time that grows with the
# square of a line that ends badly.
_FIELD = re.compile(r"^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t -~\x80-\xff]*)(?:\r\n|\Z)", re.MULTILINE)
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_ONCE = frozenset(("host", "content-length", "content-type", "expect", "transfer-encoding"))


class Head(NamedTuple):
    """One request, as far as its head tells; a tuple, as those are made in no time.

    Arguments:
        line: the request line.
        method, target: as they came, as latin-1.
        version: ``HTTP/1.1`` or ``HTTP/1.0``.
        fields: names as they came, and values; in order.
        keep_alive: the client wants to go on with the connection.
        length: of the body in bytes; 0 without one, None when it is chunked.
        expects: the client waits for 100 (Continue) before it sends the body.
    """

    line: str
    method: str
    target: str
    version: str
    fields: tuple[tuple[str, str], ...]
    keep_alive: bool
    length: int | None
    expects: bool


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of a head.

    Arguments:
        line: bytes of the request line; longer is answered with 414.
        head: bytes of all of it; more is answered with 431.
        fields: number of header lines; more is answered with 431.
    """

    line: int = 16384
    head: int = 65536
    fields: int = 200


LIMITS = Limits()


def end_of_head(data: bytes, limits: Limits = LIMITS, *, seen: int = 0) -> int:
    """Where the empty line stands that ends a head; -1 as long as there is none.

    Arguments:
        seen: how many of the bytes were there when it was asked before: they are not looked through again, for
            whoever sends a head byte by byte would have us do so each time.

    Raises:
        Refused: the part that is there can be no good head.
    """
    end = data.find(b"\r\n\r\n", max(0, seen - 3))
    size = len(data) if end < 0 else end
    if size > limits.line and data.find(b"\r\n", 0, limits.line + 2) < 0:
        raise Refused(414, f"The request line is longer than {limits.line} bytes.")
    if size > limits.head:
        raise Refused(431, f"The request's headers are larger than {limits.head} bytes.")
    # A CR at the very end may be the first half of a line end.
    new = data[seen - 1 if data[:seen].endswith(b"\r") else seen : size]
    if _BARE.search(new if end >= 0 else new.removesuffix(b"\r")):
        raise malformed("a line that ends with a bare CR or LF")
    return end


def parse_head(data: bytes, limits: Limits = LIMITS) -> Head:
    """Read a head.

    Arguments:
        data: from the request line on, without the empty line; `end_of_head` has seen it.

    Raises:
        Refused: 400, 405, 417, 431 or 505.
    """
    line, between, block = data.decode("latin-1").partition("\r\n")
    method, target, version = _request_line(line)
    number = block.count("\r\n") + 1 if between else 0
    if number > limits.fields:
        raise Refused(431, f"The request has more than {limits.fields} header lines.")
    fields = tuple([(name, value.strip(" \t")) for name, value in _FIELD.findall(block)])
    if len(fields) != number:
        raise malformed("a header line that is not a name, a colon and a value")
    known, connection = _known(fields)
    http10 = version == "HTTP/1.0"
    if "host" not in known and not http10:
        raise malformed("no Host")
    length = _length(known, http10)
    return Head(
        line=line,
        method=method,
        target=target,
        version=version,
        fields=fields,
        keep_alive=_keep_alive(connection, http10),
        length=length,
        expects=_expects(known, http10) and length != 0,
    )


def _request_line(line: str) -> tuple[str, str, str]:
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise malformed("the first line is not a method, a target and HTTP/1.1")
    method, target, major, minor = match.groups()
    if major != "1":
        raise Refused(505, "This server speaks HTTP/1.1 and HTTP/1.0.")
    if method == "CONNECT":
        raise Refused(405, "This server is no proxy: it makes no tunnels.", b"Allow: GET, HEAD, POST, PUT, DELETE\r\n")
    if not target.startswith(("/", "http://", "https://")) and not (target == "*" and method == "OPTIONS"):
        raise malformed("a target that is no path and no http URL")
    return method, target, "HTTP/1.0" if minor == "0" else "HTTP/1.1"


def _known(fields: tuple[tuple[str, str], ...]) -> tuple[dict[str, str], str]:
    """The headers that decide about the request, each of which may come once only; and what Connection says."""
    known: dict[str, str] = {}
    connection = ""
    for name, value in fields:
        lower = name.lower()
        if lower in _ONCE:
            if lower in known:
                raise malformed(f"{name} is there twice")
            known[lower] = value
        elif lower == "connection":
            connection = f"{connection},{value}"
    return known, connection


def _length(known: dict[str, str], http10: bool) -> int | None:
    """The body's length (RFC 9112, section 6); None when it is chunked."""
    value = known.get("content-length")
    coding = known.get("transfer-encoding")
    if coding is not None:
        if value is not None:
            raise malformed("both Content-Length and Transfer-Encoding")
        if http10:
            raise malformed("Transfer-Encoding in HTTP/1.0")
        if coding.lower() != "chunked":
            raise malformed("a Transfer-Encoding other than chunked")
        return None
    if value is None:
        return 0
    # str.isdigit() is true for digits of other scripts too; more digits are a size that overflows somewhere.
    if not (value.isascii() and value.isdigit()) or len(value) > 18:
        raise malformed("a Content-Length that is not a number")
    return int(value)


def _keep_alive(connection: str, http10: bool) -> bool:
    """Whether to keep the connection (RFC 9112, section 9.3)."""
    if not connection:
        return not http10
    options = {option.strip(" \t") for option in connection.lower().split(",")}
    return "close" not in options and (not http10 or "keep-alive" in options)


def _expects(known: dict[str, str], http10: bool) -> bool:
    expectation = known.get("expect")
    if expectation is None or http10:
        return False
    if expectation.lower() != "100-continue":
        raise Refused(417, "The only expectation that this server knows is 100-continue.")
    return True

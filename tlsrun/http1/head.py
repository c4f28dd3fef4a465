"""A request's head, strictly by RFC 9112: bytes in, a `Head` or a refusal out. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from tlsrun.http1.authority import parse_authority
from tlsrun.http1.fields import Fields, parse_fields
from tlsrun.http1.limits import LIMITS, HeadLimits
from tlsrun.http1.refusal import Refused, malformed

# RFC 9112, section 3. Any token is a method (RFC 9110, section 16.1). A target is ASCII without a fragment, so `#` is
# not in the class.
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-\"$-~]+) HTTP/([0-9])\.([0-9])")
TARGET = re.compile(rb"[!-\"$-~]+")
_ABSOLUTE = re.compile(rb"https?://([^/?]*)(.*)", re.IGNORECASE)
_BARE = re.compile(rb"\r(?=[^\n])|(?<!\r)\n")

#: Other protocols whose first line could be taken for a request line.
_NOT_METHODS = {b"PRI": "HTTP/2 is not spoken here", b"PROXY": "the PROXY protocol is not spoken here"}

_REMEMBERED = 4096  # bytes of header lines cached for the client's next request


class Head(NamedTuple):
    """The parsed head of a request; a named tuple, because it is created fastest.

    Arguments:
        line: the request line.
        method, target: as received.
        scheme: of a target in absolute form, in lower case; empty for any other.
        host: whom it is for: of the target when that is a URL, of the Host header otherwise; None in HTTP/1.0 without
            one.
        path: of the target, as received; ``*`` for OPTIONS of the whole server.
        query: None if there is no question mark.
        http10: the client speaks HTTP/1.0.
        keep_alive: whether the client wants to keep the connection.
        length: of the body in bytes; None without a Content-Length.
        chunked: whether the body is chunked.
        expects: whether the client waits for 100 (Continue) before it sends the body.
        fields: the header lines; the same object as last time if the client sent the same lines again.
    """

    line: bytes
    method: bytes
    target: bytes
    scheme: bytes
    host: bytes | None
    path: bytes
    query: bytes | None
    http10: bool
    keep_alive: bool
    length: int | None
    chunked: bool
    expects: bool
    fields: Fields


class Heads:
    """Parses the heads of one client, whose header lines seldom change from one request to the next.

    Arguments:
        limits: of each head.
    """

    __slots__ = ("_block", "_fields", "_limits")

    def __init__(self, limits: HeadLimits = LIMITS) -> None:
        self._limits = limits
        self._block: bytes | None = None
        self._fields: Fields | None = None

    def read(self, head: bytes) -> Head:
        """Parse a complete head.

        Arguments:
            head: from the request line on, without the final CRLFCRLF.

        Raises:
            Refused: 400, 405, 414, 417, 431 or 505; the connection is to be closed after the answer.
        """
        limits = self._limits
        line, _, block = head.partition(b"\r\n")
        if len(line) > limits.line or len(head) > limits.size:
            _check_line(len(line), limits)
            _check_size(len(head), limits)
        method, target, http10 = _request_line(line)
        fields = self._fields
        if fields is None or block != self._block:
            fields = parse_fields(block, limits)
            if len(block) <= _REMEMBERED:
                self._block, self._fields = block, fields
        return _head(line, method, target, http10, fields)


def parse_head(head: bytes, limits: HeadLimits = LIMITS) -> Head:
    """Parse a single head; as `Heads.read`."""
    return Heads(limits).read(head)


def check_part(part: bytes, limits: HeadLimits = LIMITS, seen: int = 0) -> None:
    """Refuse an incomplete head as early as possible, if it cannot become a valid one.

    Arguments:
        part: from the request line on.
        seen: how many bytes of it were checked already.

    Raises:
        Refused: a bare CR or LF, a bad request line, or too long.
    """
    if _BARE.search(part, max(0, seen - 1)):
        raise _bare()
    end = part.find(b"\r\n")
    if end < 0:
        _check_line(len(part) - 1, limits)
    elif end >= seen - 1:
        _check_line(end, limits)
        _request_line(part[:end])
    _check_size(len(part) - 3, limits)


def _check_line(size: int, limits: HeadLimits) -> None:
    if size > limits.line:
        raise Refused(414, f"The request line is longer than {limits.line} bytes.")


def _check_size(size: int, limits: HeadLimits) -> None:
    if size > limits.size:
        raise Refused(431, f"The request's headers are larger than {limits.size} bytes.")


def _bare() -> Refused:
    """Refuse bare CR and LF: some parsers take either for the end of a line."""
    return malformed("a line that ends with a bare CR or LF")


def _request_line(line: bytes) -> tuple[bytes, bytes, bool]:
    """Method, target, and whether the client speaks HTTP/1.0."""
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        if line.startswith(b"PROXY "):
            raise malformed(_NOT_METHODS[b"PROXY"])
        if b"\r" in line or b"\n" in line:
            raise _bare()
        raise malformed("the first line is not a method, a target and HTTP/1.1")
    method, target, major, minor = match.groups()
    if major != b"1" and method not in _NOT_METHODS:
        raise Refused(505, "This server speaks HTTP/1.1 and HTTP/1.0.")
    check_method(method)
    return method, target, minor == b"0"


def check_method(method: bytes) -> None:
    """Refuse methods that a server does not serve.

    Raises:
        Refused: 400 or 405.
    """
    if method in _NOT_METHODS:
        raise malformed(_NOT_METHODS[method])
    if method == b"CONNECT":
        raise Refused(405, "This server is no proxy: it makes no tunnels.", b"Allow: GET, HEAD, POST, PUT, DELETE\r\n")


def _head(line: bytes, method: bytes, target: bytes, http10: bool, fields: Fields) -> Head:
    if http10 and fields.chunked:
        raise malformed("Transfer-Encoding in HTTP/1.0")
    if fields.host is None and not http10:
        raise malformed("no Host")
    scheme, host, path, mark, query = split_target(method, target, fields.host)
    return Head(
        line,
        method,
        target,
        scheme,
        host,
        path,
        query if mark else None,
        http10,
        not fields.close and (fields.keep_alive or not http10),
        fields.length,
        fields.chunked,
        fields.expects and not http10 and (fields.chunked or bool(fields.length)),
        fields,
    )


def split_target(method: bytes, target: bytes, host: bytes | None) -> tuple[bytes, bytes | None, bytes, bytes, bytes]:
    """Scheme, host, path, ``?`` if there is one, and query of a target (RFC 9112, section 3.2).

    The host of a URL goes before ``host``, which is that of the header.

    Raises:
        Refused: 400.
    """
    scheme, rooted = b"", target
    if target[:1] != b"/" and (target != b"*" or method != b"OPTIONS"):
        match = _ABSOLUTE.fullmatch(target)
        if match is None:
            raise malformed("a target that is no path and no http URL")
        host, rest = match.groups()
        parse_authority(host)
        scheme = target[: target.index(b":")].lower()
        rooted = rest if rest.startswith(b"/") else b"/" + rest
    path, mark, query = rooted.partition(b"?")
    if b"%00" in path:
        raise malformed("a NUL in the path")
    return scheme, host, path, mark, query

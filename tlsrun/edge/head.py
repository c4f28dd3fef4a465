"""A request's head, strictly by RFC 9112: bytes in, what a worker is to be told out, or a refusal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from tlsrun.edge.fields import Fields, bare, check_host, parse_fields
from tlsrun.edge.limits import Limits
from tlsrun.edge.names import RULES, TRUSTED_RULES
from tlsrun.edge.refusal import Refused, malformed
from tlsrun.edge.variables import pair, sized

# RFC 9112, section 3. No fragment in a target: `#` is not in the class.
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-\"$-~]+) HTTP/([0-9])\.([0-9])")
_ABSOLUTE = re.compile(rb"https?://([^/?]*)(.*)", re.IGNORECASE)
_BARE = re.compile(rb"\r(?=[^\n])|(?<!\r)\n")

#: Other protocols, whose first line could pass for a request's.
_NOT_METHODS = {b"PRI": "HTTP/2 is not spoken here", b"PROXY": "the PROXY protocol is not spoken here"}

# Parts of a packet, made once.
_METHODS = {name: pair(b"REQUEST_METHOD", name) for name in (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH")}
_URI, _PATH, _QUERY, _HTTP_HOST = map(sized, (b"REQUEST_URI", b"PATH_INFO", b"QUERY_STRING", b"HTTP_HOST"))
_HTTP11 = pair(b"SERVER_PROTOCOL", b"HTTP/1.1")
_HTTP10 = pair(b"SERVER_PROTOCOL", b"HTTP/1.0")

_REMEMBERED = 4096  # bytes of header lines kept for the next request of the same client


@dataclass(slots=True, kw_only=True)
class Request:
    """One request, as far as its head tells.

    Attributes:
        method, target: as they came.
        http10: the client speaks HTTP/1.0.
        keep_alive: the client wants to go on with the connection.
        length: of the body; None without a Content-Length.
        chunked: the body comes in chunks.
        expects: the client waits for 100 (Continue) before it sends the body.
        variables: those of the request, as they stand in a packet; CONTENT_LENGTH is not among them.
    """

    method: bytes
    target: bytes
    http10: bool
    keep_alive: bool
    length: int | None
    chunked: bool
    expects: bool
    variables: bytes


class Heads:
    """Reads the heads of one client, whose header lines are mostly the same from one request to the next.

    Arguments:
        limits: of a head.
        trusted: it is a trusted proxy, which may speak of its own clients.
    """

    __slots__ = ("_block", "_fields", "_limits", "_rules")

    def __init__(self, limits: Limits, *, trusted: bool = False) -> None:
        self._limits = limits
        self._rules = TRUSTED_RULES if trusted else RULES
        self._block: bytes | None = None
        self._fields: Fields | None = None

    def read(self, head: bytes) -> Request:
        """Read a whole head.

        Arguments:
            head: from the request line on, without the empty line and the CRLF before it.

        Raises:
            Refused: 400, 405, 414, 417, 431 or 505; the connection is to be closed after the answer.
        """
        limits = self._limits
        line, _, block = head.partition(b"\r\n")
        if len(line) > limits.request_line or len(head) > limits.head:
            check_line(len(line), limits)
            check_size(len(head), limits)
        method, target, http10 = request_line(line)
        fields = self._fields
        if fields is None or block != self._block:
            fields = parse_fields(block, limits, self._rules)
            if len(block) <= _REMEMBERED:
                self._block, self._fields = block, fields
        return _request(method, target, http10, fields)


def check_part(part: bytes, limits: Limits, seen: int = 0) -> None:
    """Refuse early what cannot become a good head, of which only the first bytes are there.

    Arguments:
        part: from the request line on.
        seen: how many bytes of it were checked before.

    Raises:
        Refused: a bare CR or LF, a bad request line, or too long.
    """
    if _BARE.search(part, max(0, seen - 1)):
        raise bare()
    end = part.find(b"\r\n")
    if end < 0:
        check_line(len(part) - 1, limits)
    elif end >= seen - 1:
        check_line(end, limits)
        request_line(part[:end])
    check_size(len(part) - 3, limits)


def check_line(size: int, limits: Limits) -> None:
    """Refuse a request line that is too long."""
    if size > limits.request_line:
        raise Refused(414, f"The request line is longer than {limits.request_line} bytes.")


def check_size(size: int, limits: Limits) -> None:
    """Refuse a head that is too large."""
    if size > limits.head:
        raise Refused(431, f"The request's headers are larger than {limits.head} bytes.")


def request_line(line: bytes) -> tuple[bytes, bytes, bool]:
    """Method, target, and whether the client speaks HTTP/1.0.

    Raises:
        Refused: 400, 405 or 505.
    """
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        if line.startswith(b"PROXY "):
            raise malformed(_NOT_METHODS[b"PROXY"])
        if b"\r" in line or b"\n" in line:
            raise bare()
        raise malformed("the first line is not a method, a target and HTTP/1.1")
    method, target, major, minor = match.groups()
    if method in _NOT_METHODS:
        raise malformed(_NOT_METHODS[method])
    if major != b"1":
        raise Refused(505, "This server speaks HTTP/1.1 and HTTP/1.0.")
    if method == b"CONNECT":
        raise Refused(405, "This server is no proxy: it makes no tunnels.", b"Allow: GET, HEAD, POST, PUT, DELETE\r\n")
    return method, target, minor == b"0"


def _request(method: bytes, target: bytes, http10: bool, fields: Fields) -> Request:
    if http10 and fields.chunked:
        raise malformed("Transfer-Encoding in HTTP/1.0")
    if fields.host is None and not http10:
        raise malformed("no Host")
    host, path, query = _target(method, target, fields.host)
    uri = path if query is None else path + b"?" + query
    decoded = _decoded(path) if b"%" in path else path
    parts = [
        _METHODS.get(method) or pair(b"REQUEST_METHOD", method),
        _URI, len(uri).to_bytes(2, "little"), uri,
        _PATH, len(decoded).to_bytes(2, "little"), decoded,
        _QUERY, sized(query) if query else b"\0\0",
        _HTTP10 if http10 else _HTTP11,
        fields.variables,
    ]  # fmt: skip
    if host is not None:
        parts += (_HTTP_HOST, len(host).to_bytes(2, "little"), host)
    return Request(
        method=method,
        target=target,
        http10=http10,
        keep_alive=not fields.close and (fields.keep_alive or not http10),
        length=fields.length,
        chunked=fields.chunked,
        expects=fields.expects and not http10 and (fields.chunked or bool(fields.length)),
        variables=b"".join(parts),
    )


def _target(method: bytes, target: bytes, host: bytes | None) -> tuple[bytes | None, bytes, bytes | None]:
    """Host, path and query (RFC 9112, section 3.2); a target's own host goes before Host."""
    if target[0] != 0x2F:
        if target == b"*" and method == b"OPTIONS":
            return host, b"*", None
        match = _ABSOLUTE.fullmatch(target)
        if match is None:
            raise malformed("a target that is no path and no http URL")
        host, target = match.groups()
        check_host(host)
        if not target.startswith(b"/"):
            target = b"/" + target
    path, mark, query = target.partition(b"?")
    return host, path, query if mark else None


def _decoded(path: bytes) -> bytes:
    decoded = unquote_to_bytes(path)
    if b"\0" in decoded:
        raise malformed("a NUL in the path")
    return decoded

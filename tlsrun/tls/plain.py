"""Plain HTTP on the TLS port: what the first bytes are, and the answer for a person who typed http://.

Pure: bytes in, bytes out. Who calls reads at most `MAX_HEAD` bytes, under a deadline, and closes after the answer.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable

#: Bytes of a request head that are worth reading for a redirect; more is answered with 400.
MAX_HEAD = 8192

_METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE", b"CONNECT", b"PRI")
_STARTS = tuple(method + b" " for method in _METHODS)
_HANDSHAKE_RECORD = 0x16  # RFC 8446, section 5.1

# RFC 3986, section 3.2: a name or IPv4 address, or an IPv6 address in brackets; then perhaps a port.
_AUTHORITY = re.compile(
    r"(?:(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9.])?)|\[(?P<v6>[0-9A-Fa-f:.]+)\])(?::[0-9]{1,5})?"
)
_REQUEST_LINE = re.compile(rb"([A-Z]+) ([!-~]+) HTTP/1\.[0-9]")
_ABSOLUTE = re.compile(r"http://([^/?#]+)(.*)", re.IGNORECASE)

_REASONS = {301: "Moved Permanently", 308: "Permanent Redirect", 400: "Bad Request"}


class First(enum.Enum):
    """What the first bytes of a connection are."""

    TLS = "a TLS handshake"
    HTTP = "plain HTTP"
    OTHER = "neither TLS nor HTTP"
    INCOMPLETE = "too few bytes to tell"


def kind_of(first: bytes) -> First:
    """Tell TLS from plain HTTP by the first bytes; nine are always enough, one mostly is."""
    if not first:
        return First.INCOMPLETE
    if first[0] == _HANDSHAKE_RECORD:
        return First.TLS
    if first.startswith(_STARTS):
        return First.HTTP
    if any(start.startswith(first) for start in _STARTS):
        return First.INCOMPLETE
    return First.OTHER


def head_is_whole(data: bytes) -> bool:
    """Whether ``data`` holds a whole request head, or so much that no more shall be read."""
    return b"\r\n\r\n" in data or b"\n\n" in data or len(data) >= MAX_HEAD


def answer(head: bytes, allowed: Callable[[str], bool]) -> bytes | None:
    """The response to a request that came without TLS.

    A redirect to the https URL of the request's own host (301 for GET and HEAD, which every browser and tool
    follows; 308 for others, which keeps method and body: RFC 9110, section 15.4.9), never cached, or 400.

    Arguments:
        head: what was read: a request head, perhaps cut short.
        allowed: whether a host (lower case, no port, no brackets) is one that we serve.

    Returns:
        the whole response, after which the connection is closed; None when ``head`` is no HTTP/1 request line:
        close without a word.
    """
    line, _, rest = head.partition(b"\n")
    match = _REQUEST_LINE.fullmatch(line.rstrip(b"\r"))
    if match is None:
        return None
    method, target = match[1].decode("ascii"), match[2].decode("ascii")
    location = _https_url(target, _hosts(rest), allowed) if head_is_whole(head) and len(head) < MAX_HEAD else None
    if location is None:
        return _response(400, "This port speaks HTTPS only. Open it with https:// instead of http://.\n", method)
    status = 301 if method in ("GET", "HEAD") else 308
    return _response(status, f"This port speaks HTTPS only. The page is at {location}\n", method, location)


def _hosts(fields: bytes) -> list[str]:
    names = []
    for line in fields.split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon and name.lower() == b"host":
            names.append(value.strip(b" \t\r").decode("latin-1"))
    return names


def _https_url(target: str, hosts: list[str], allowed: Callable[[str], bool]) -> str | None:
    if len(hosts) > 1:
        return None
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is not None:
        authority, path = absolute[1], absolute[2]
        path = path if path.startswith("/") else f"/{path}"
    elif target.startswith("/") and hosts:
        authority, path = hosts[0], target
    else:
        return None
    match = _AUTHORITY.fullmatch(authority)
    if match is None or not allowed((match["name"] or match["v6"]).lower()):
        return None
    return f"https://{authority}{path}"


def _response(status: int, text: str, method: str, location: str | None = None) -> bytes:
    body = text.encode("ascii")
    fields = [
        f"HTTP/1.1 {status} {_REASONS[status]}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "Connection: close",
    ]
    if location is not None:
        fields.append(f"Location: {location}")
    head = "\r\n".join([*fields, "", ""]).encode("ascii")
    return head if method == "HEAD" else head + body

"""Plain HTTP on the TLS port: telling it from TLS by the first bytes, and the response. Pure.

The caller reads at most `MAX_HEAD` bytes, under a deadline, and closes the connection after the response.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable

from tlsrun.http1.authority import parse_authority
from tlsrun.http1.inbox import Inbox
from tlsrun.http1.limits import HeadLimits
from tlsrun.http1.refusal import Refused
from tlsrun.redirect.answer import in_words, to_https

#: The most bytes of a request head that are read; a longer one is answered with 400.
MAX_HEAD = 8192
LIMITS = HeadLimits(line=MAX_HEAD, size=MAX_HEAD)

_METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE", b"CONNECT", b"PRI")
_STARTS = tuple(method + b" " for method in _METHODS)
_ENDS_AS_HTTP_1 = re.compile(rb"[A-Z]+ [!-~]+ HTTP/1\.[0-9]")
_HANDSHAKE_RECORD = 0x16  # RFC 8446, section 5.1


class First(enum.Enum):
    """What the first bytes of a connection are."""

    TLS = "a TLS handshake"
    HTTP = "plain HTTP"
    OTHER = "neither TLS nor HTTP"
    INCOMPLETE = "too few bytes to tell"


def kind_of(first: bytes) -> First:
    """Tell TLS from plain HTTP by the first bytes: usually one is enough, and nine always are."""
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
    """Whether ``data`` contains a whole request head, or as much of it as may be read."""
    return b"\r\n\r\n" in data or b"\n\n" in data or len(data) >= MAX_HEAD


def answer(head: bytes, allowed: Callable[[str], bool]) -> bytes | None:
    """The response to a request that came without TLS.

    It is a redirect to https on the request's own host (301 for GET and HEAD, which every browser and tool follows; 308
    otherwise), or 400.

    Arguments:
        head: a request head, possibly truncated.
        allowed: whether a host (lower case, no port, no brackets) is served here.

    Returns:
        the whole response, after which the connection is closed; None if ``head`` does not begin with an HTTP/1 request
        line, so that the connection is closed without a response.
    """
    line = head.partition(b"\n")[0].rstrip(b"\r")
    if _ENDS_AS_HTTP_1.fullmatch(line) is None:
        return None
    location = _https_url(head, allowed)
    head_only = head.startswith(b"HEAD ")
    if location is None:
        words = "This port speaks HTTPS only. Open it with https:// instead of http://."
        return in_words(400, words, head_only=head_only).render()
    status = 301 if head.startswith((b"GET ", b"HEAD ")) else 308
    return to_https(location, status=status, head_only=head_only).render()


def _https_url(data: bytes, allowed: Callable[[str], bool]) -> str | None:
    """The request's URL with https; None for a request that is incomplete, malformed, or not for a host of ours."""
    inbox = Inbox(LIMITS)
    inbox.put(data)
    try:
        head = inbox.next_head()
    except Refused:
        return None
    if head is None or head.host is None or head.scheme == b"https" or not head.path.startswith(b"/"):
        return None
    if not allowed(parse_authority(head.host).host):
        return None
    query = b"" if head.query is None else b"?" + head.query
    return f"https://{(head.host + head.path + query).decode('ascii')}"

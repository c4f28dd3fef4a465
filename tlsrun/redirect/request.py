"""Requests on the plain-HTTP port: a request head in, its host and path out. Pure.

The head is parsed as everywhere (`tlsrun.http1`). The body is ignored: the connection closes after the response, so it
does not matter where the request ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tlsrun.http1.authority import parse_authority
from tlsrun.http1.fields import TOKEN
from tlsrun.http1.head import Head
from tlsrun.http1.limits import HeadLimits
from tlsrun.http1.refusal import Refused, malformed

#: A redirect needs no larger heads.
LIMITS = HeadLimits(line=16 * 1024, size=16 * 1024)

_LONGEST_METHOD = 24  # the longest registered one has 17 (RFC 9110, section 16.1.1)
_ENDS_AS_HTTP = re.compile(rb".* HTTP/[0-9]\.[0-9]")


@dataclass(frozen=True, kw_only=True)
class Request:
    """The part of a request that a redirect needs.

    Arguments:
        method: the method as sent.
        host: in lower case, without port, brackets or a trailing dot; None if an HTTP/1.0 client sent none.
        path: path and query; begins with ``/``, printable ASCII without spaces.
    """

    method: str
    host: str | None
    path: str


def is_hopeless(data: bytes) -> bool:
    """Whether the first bytes of a connection can no longer become an HTTP/1 request (TLS, a scan, noise)."""
    line, newline, _ = data.partition(b"\n")
    if newline:
        return _ENDS_AS_HTTP.fullmatch(line.rstrip(b"\r")) is None
    method, space, _ = line[: _LONGEST_METHOD + 1].partition(b" ")
    if not space and len(line) > _LONGEST_METHOD:
        return True
    return bool(line) and TOKEN.fullmatch(method) is None


def request_of(head: Head) -> Request:
    """Extract what a redirect needs from a head.

    Raises:
        Refused: 400 without a path; 421 for an https resource, which must not be served over plain HTTP (RFC 9110,
            section 7.4).
    """
    if head.scheme == b"https":
        raise Refused(421, "This port speaks plain HTTP; an https resource cannot be had here.")
    if not head.path.startswith(b"/"):
        raise malformed("the request line names no path")
    path = head.path if head.query is None else head.path + b"?" + head.query
    host = None if head.host is None else parse_authority(head.host).host
    return Request(method=head.method.decode("ascii"), host=host, path=path.decode("ascii"))

"""Validates the headers of HTTP/2 and HTTP/3 requests by the same rules, and with the same messages, as HTTP/1.1.

h2 and aioquic validate the frames, and most of what RFC 9113 and RFC 9114 require of header names.
"""

from __future__ import annotations

import re

from tlsrun.http1.authority import parse_authority
from tlsrun.http1.fields import TOKEN, decide
from tlsrun.http1.head import TARGET, check_method, split_target
from tlsrun.http1.limits import LIMITS
from tlsrun.http1.refusal import Refused, malformed

Headers = list[tuple[bytes, bytes]]

#: RFC 9113, section 8.2.2.
_OF_A_CONNECTION = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))
_NAMES = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z,-]*")  # as TOKEN, lower case; names joined by commas
_CONTROL = re.compile(rb"[\0-\x08\x0a-\x1f\x7f]")


def judge(headers: Headers) -> None:
    """Check that a request over HTTP/2 or HTTP/3 would be accepted over HTTP/1.1.

    Arguments:
        headers: the request's headers, including pseudo-headers (RFC 9113, section 8.3.1).

    Raises:
        Refused: 400, 405, 414, 417 or 431.
    """
    pseudo = {name: value for name, value in headers if name[:1] == b":"}
    lines = tuple(line for line in headers if line[0][:1] != b":")
    method, target = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
    if TOKEN.fullmatch(method) is None:
        raise malformed("a method that is no token")
    check_method(method)
    if len(target) > LIMITS.line:
        raise Refused(414, f"The path is longer than {LIMITS.line} bytes.")
    if TARGET.fullmatch(target) is None:
        raise malformed("a path that is empty, has a fragment, or bytes beyond ASCII")
    if pseudo.get(b":scheme", b"").lower() not in (b"https", b"http"):
        raise malformed("a scheme that is neither https nor http")
    if len(lines) > LIMITS.fields:
        raise Refused(431, f"The request has more than {LIMITS.fields} header lines.")
    names, values = zip(*lines, strict=True) if lines else ((), ())
    if _NAMES.fullmatch(b",".join(names)) is None:
        raise malformed("a header whose name is no token in lower case")
    if _CONTROL.search(b"".join(values)) is not None:
        raise malformed("a control character")
    fields = decide(lines)
    host = pseudo.get(b":authority", fields.host)
    if host is None:
        raise malformed("no Host")
    if fields.host not in (None, host):
        raise malformed("a Host other than the authority")
    parse_authority(host)
    if not _OF_A_CONNECTION.isdisjoint(names):
        raise malformed("a header that only HTTP/1.1 has")
    if split_target(method, target, host)[0]:
        raise malformed("a URL in the place of a path")


def response_headers(refused: Refused) -> Headers:
    """Return the headers of an error response over HTTP/2 or HTTP/3."""
    fields = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in refused.fields]
    return [(b":status", b"%d" % refused.status), *fields]


def awaits_leave(headers: Headers) -> bool:
    """Whether the client waits for 100 (Continue) before it sends the body (RFC 9110, section 10.1.1)."""
    return any(name == b"expect" and value.lower() == b"100-continue" for name, value in headers)

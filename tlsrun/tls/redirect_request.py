"""Requests at the plain-HTTP port: the head of one in, its host and path out. Pure.

Strict where a mistake could send a visitor elsewhere, and blind to the body: the connection closes after the
answer, so nothing depends on where this request ends.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

#: Bytes that a request head may have.
MAX_HEAD = 16 * 1024

_LONGEST_METHOD = 24  # the longest registered one has 17 (RFC 9110, section 16.1.1)

# RFC 9110, section 5.6.2.
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_METHOD = re.compile(_TOKEN)
# RFC 9112, section 3. Bytes that are not ASCII are what careless clients send for UTF-8.
_REQUEST_LINE = re.compile(rb"(%b) ([!\"$-~\x80-\xff]+) HTTP/1\.([0-9])" % _TOKEN)
_ENDS_AS_HTTP = re.compile(rb".* HTTP/[0-9]\.[0-9]")
_FIELD = re.compile(rb"(%b):([\t -~\x80-\xff]*)" % _TOKEN)
_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?]*)(.*)")
# RFC 9110, section 7.2: no userinfo. A name or IPv4 address, or an IPv6 address in brackets; perhaps a port.
_HOST = re.compile(
    r"(?:(?P<name>[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9.])?)|\[(?P<v6>[0-9A-Fa-f:.]{2,45})\])"
    r"(?::(?P<port>[0-9]{0,5}))?"
)


class Malformed(ValueError):
    """No valid request; the message says why, in a sentence for the one who sent it."""


class Misdirected(ValueError):
    """A valid request for what a plain-HTTP port is not responsible for; the message as in `Malformed`."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a redirect needs.

    Arguments:
        method: as it was sent.
        host: lower case, without port, brackets or a dot at the end; None when an HTTP/1.0 client named none.
        path: with the query; begins with ``/``; printable ASCII without spaces.
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
    return bool(line) and _METHOD.fullmatch(method) is None


def end_of_head(data: bytes | bytearray) -> int | None:
    """Where the head ends, its blank line included; None while it does not.

    Lines may end with a lone LF (RFC 9112, section 2.2).
    """
    ends = [at + len(mark) for mark in (b"\n\r\n", b"\n\n") if (at := data.find(mark)) >= 0]
    return min(ends) if ends else None


def parse(head: bytes) -> Request:
    """Read a whole request head.

    Raises:
        Malformed: it is not valid (RFC 9112, sections 3 and 5).
        Misdirected: it is for an https resource, which no plain-HTTP port may serve (RFC 9110, section 7.4).
    """
    line, *lines = [part.removesuffix(b"\r") for part in head.split(b"\n")]
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise Malformed("The request line is not valid HTTP/1.1.")
    method, target, minor = match[1].decode("ascii"), _as_ascii(match[2]), int(match[3])
    host_field = _host_field(lines, required=minor > 0)
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is not None:
        host = _absolute_host(absolute[1], absolute[2])
        return Request(method=method, host=host, path=_rooted(absolute[3]))
    if not target.startswith("/"):
        raise Malformed("The request line names no path.")
    return Request(method=method, host=host_field, path=target)


def _as_ascii(target: bytes) -> str:
    """A target with every byte that is not ASCII percent-encoded (RFC 3986, section 2.1)."""
    return "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in target)


def _rooted(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"


def _host_field(lines: list[bytes], *, required: bool) -> str | None:
    values = []
    for line in lines:
        if not line:
            continue
        match = _FIELD.fullmatch(line)
        if match is None:
            raise Malformed("A header line is not valid HTTP/1.1.")
        if match[1].lower() == b"host":
            values.append(match[2].strip(b" \t").decode("latin-1"))
    if len(values) > 1:
        raise Malformed("The request has more than one Host header.")
    if not values:
        if required:
            raise Malformed("The request has no Host header.")
        return None
    return _host(values[0])


def _absolute_host(scheme: str, authority: str) -> str:
    if scheme.lower() == "https":
        raise Misdirected("This port speaks plain HTTP; an https resource cannot be had here.")
    if scheme.lower() != "http":
        raise Malformed("The request line names neither a path nor an http URL.")
    return _host(authority)


def _host(authority: str) -> str:
    match = _HOST.fullmatch(authority)
    if match is None or int(match["port"] or 0) > 65535:
        raise Malformed("The host name is not valid.")
    if match["name"]:
        return match["name"].lower().removesuffix(".")
    try:
        return ipaddress.IPv6Address(match["v6"]).compressed
    except ValueError:
        raise Malformed("The host name is not valid.") from None

"""Who a request is for: a name or an address, and perhaps a port."""

from __future__ import annotations

import functools
import ipaddress
import re
from typing import NamedTuple

from tlsrun.http1.refusal import malformed

# RFC 9110, section 7.2: no user information. A name or an IPv4 address, or an IPv6 address in brackets; perhaps a
# port. Of names, what DNS and hosts files have (RFC 1123, section 2.1, and the underscores of local networks): RFC 3986
# allows more characters, which no client sends and which mean something in shells, HTML and configuration files.
_AUTHORITY = re.compile(
    rb"(?:(?P<name>[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9._])?)|\[(?P<v6>[0-9A-Fa-f:.]{2,45})\])"
    rb"(?::(?P<port>[0-9]{0,5}))?"
)

#: Characters that make two names of one: IDNA of 2003, which Python has, reads them otherwise than that of 2008, which
#: browsers have (RFC 5894, section 7.2). ß would be ss.
_DEVIATIONS = frozenset("\u00df\u1e9e\u03c2\u200c\u200d")


class Authority(NamedTuple):
    """Whom a request is for.

    Arguments:
        host: in lower case, without brackets or a dot at the end; IPv6 addresses in their shortest form (RFC 5952).
        port: None when none is named.
    """

    host: str
    port: int | None


@functools.lru_cache(maxsize=256)
def parse_authority(text: bytes) -> Authority:
    """Read a Host header's value, or the authority of a request target.

    Raises:
        Refused: it is no name or address, perhaps with a port.
    """
    match = _AUTHORITY.fullmatch(text)
    if match is None or int(match["port"] or 0) > 65535:
        raise _not_a_host()
    port = int(match["port"]) if match["port"] else None
    if match["name"]:
        return Authority(match["name"].decode("ascii").lower().removesuffix("."), port)
    try:
        return Authority(ipaddress.IPv6Address(match["v6"].decode("ascii")).compressed, port)
    except ValueError:
        raise _not_a_host() from None


def _not_a_host() -> Exception:
    return malformed("a Host that is not a name or an address, perhaps with a port")


def a_labels(name: str) -> str:
    """A name as DNS, certificates and clients have it: A-labels for those in Unicode (RFC 5890, section 2.3.2.1).

    Raises:
        ValueError: it is no name, or not one only.
    """
    if name.isascii():
        return name
    odd = _DEVIATIONS.intersection(name)
    if odd:
        raise ValueError(f"{min(odd)} makes two names of it")
    return name.encode("idna").decode("ascii")

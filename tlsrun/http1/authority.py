"""The authority of a request (RFC 3986, section 3.2): a host name or address, and an optional port."""

from __future__ import annotations

import functools
import ipaddress
import re
from typing import NamedTuple

from tlsrun.http1.refusal import malformed

# RFC 9110, section 7.2: no user information. A name or IPv4 address, or an IPv6 address in brackets, and an optional
# port. Names as in DNS and hosts files (RFC 1123, section 2.1, plus the underscores of local networks): RFC 3986 allows
# more characters, which no client sends and which have a meaning in shells, HTML and configuration files.
_AUTHORITY = re.compile(
    rb"(?:(?P<name>[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9._])?)|\[(?P<v6>[0-9A-Fa-f:.]{2,45})\])"
    rb"(?::(?P<port>[0-9]{0,5}))?"
)

#: Characters that IDNA 2003, which Python implements, maps differently from IDNA 2008, which browsers implement (RFC
#: 5894, section 7.2): ß would become ss, another name.
_DEVIATIONS = frozenset("\u00df\u1e9e\u03c2\u200c\u200d")


class Authority(NamedTuple):
    """The host that a request is for.

    Arguments:
        host: in lower case, without brackets or trailing dot; IPv6 addresses in canonical form (RFC 5952).
        port: None if none is given.
    """

    host: str
    port: int | None


@functools.lru_cache(maxsize=256)
def parse_authority(text: bytes) -> Authority:
    """Parse a Host header's value, or the authority of a request target.

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
    """A name as in DNS and certificates: Unicode labels become A-labels (RFC 5890, section 2.3.2.1).

    Raises:
        ValueError: it is no name, or not one only.
    """
    if name.isascii():
        return name
    odd = _DEVIATIONS.intersection(name)
    if odd:
        raise ValueError(f"{min(odd)} makes two names of it")
    return name.encode("idna").decode("ascii")

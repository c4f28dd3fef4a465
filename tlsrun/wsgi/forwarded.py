"""A parser for forwarded headers: header values in, hops out. It is pure, and safe with hostile values.

A list is read from the right, where the nearest proxy has appended. A malformed item ends the reading, and nothing to
its left is used. If a single-valued header has several items, the last one is the nearest proxy's.
Written by hand: Werkzeug's ProxyFix counts hops instead of checking who wrote them, and does not read `Forwarded`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from tlsrun.http1.authority import parse_authority
from tlsrun.http1.refusal import Refused
from tlsrun.proxies.peers import UNIX, Peers, address

#: The most hops that are followed.
_MOST_HOPS = 32
#: Longest host name in characters (RFC 1035, section 2.3.4); frameworks refuse longer ones.
_LONGEST_HOST = 253

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 -- RFC 9110, section 5.6.2
_PAIR = re.compile(rf'({_TOKEN})=(?:({_TOKEN})|"((?:[^"\\]|\\.)*)")')
_SPACE = re.compile(r"[ \t]*")

_NODE_V6 = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}))?")
_NODE_V4 = re.compile(r"([0-9.]+)(?::([0-9]{1,5}))?")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+;=:@-]+)+")


@dataclass(frozen=True, kw_only=True)
class Hop:
    """A client, as a proxy reports it.

    Arguments:
        address: its IP address in canonical form; empty for a Unix socket.
        port: its port; None if it is not reported.
    """

    address: str
    port: int | None = None


def parse_node(text: str) -> Hop | None:
    """Parse an address with or without a port (RFC 7239, section 6); None for ``unknown``, a name, or anything else."""
    if text in (UNIX, f"{UNIX}:"):
        return Hop(address="")
    match = _NODE_V6.fullmatch(text) or _NODE_V4.fullmatch(text)
    found = address(match[1] if match else text)
    if found is None:
        return None
    return Hop(address=str(found), port=_port(match[2]) if match else None)


def walk(entries: list[str], peers: Peers) -> tuple[int, Hop] | None:
    """Follow a list of clients from the right to the first one that is not a trusted proxy.

    If everybody is trusted, the last entry is used, which is the nearest proxy's: going on would end at entries that
    the client itself may have written.

    Arguments:
        entries: the entries of X-Forwarded-For, or the values of ``for=``.

    Returns:
        the position in the list and the hop; before a malformed entry, the last good one. None if there is none.
    """
    found: tuple[int, Hop] | None = None
    for index in range(len(entries) - 1, max(-1, len(entries) - 1 - _MOST_HOPS), -1):
        hop = parse_node(entries[index])
        if hop is None:
            break
        found = index, hop
        if hop.address not in peers or peers.everybody:
            break
    return found


def split_list(value: str) -> list[str]:
    """The items of a comma-separated list (RFC 9110, section 5.6.1), without empty ones."""
    return [part for part in (part.strip(" \t") for part in value.split(",")) if part]


def parse_forwarded(value: str) -> list[dict[str, str]]:
    """The elements of a Forwarded header (RFC 7239, section 4), names in lower case.

    If the header is malformed, only the part after the last comma is used, which the nearest proxy has appended.
    """
    elements = _elements(value)
    if elements is None:
        elements = _elements(value.rpartition(",")[2]) or []
    return [element for element in elements if element]


def _elements(value: str) -> list[dict[str, str]] | None:
    elements: list[dict[str, str]] = [{}]
    position, end = _blanks(value, 0), len(value)
    while position < end:
        if value[position] not in ",;":
            match = _PAIR.match(value, position)
            if match is None or match[1].lower() in elements[-1]:
                return None
            quoted = match[3]
            elements[-1][match[1].lower()] = match[2] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            position = _blanks(value, match.end())
            if position < end and value[position] not in ",;":
                return None
        else:
            if value[position] == ",":
                elements.append({})
            position = _blanks(value, position + 1)
    return elements


def _blanks(value: str, position: int) -> int:
    match = _SPACE.match(value, position)
    return match.end() if match else position


def parse_scheme(value: str) -> str | None:
    """``http`` or ``https``, from the last item; None for anything else."""
    last = next(reversed(split_list(value)), "").lower()
    return {"http": "http", "https": "https", "ws": "http", "wss": "https"}.get(last)


def parse_visitor(value: str) -> str | None:
    """The scheme in Cloudflare's CF-Visitor (``{"scheme":"https"}``)."""
    if len(value) > 200:
        return None
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return None
    scheme = found.get("scheme") if isinstance(found, dict) else None
    return parse_scheme(scheme) if isinstance(scheme, str) else None


def parse_host(value: str) -> tuple[str, int | None] | None:
    """A host, IPv6 in brackets, and its port, by the same rules as for Host (`tlsrun.http1.authority`)."""
    text = next(reversed(split_list(value)), "")
    try:
        port = parse_authority(text.encode("latin-1", "replace")).port
    except Refused:
        return None
    host = text if text.endswith("]") else text.rpartition(":")[0] or text
    return None if len(host) > _LONGEST_HOST or port == 0 else (host, port)


def parse_port(value: str) -> int | None:
    """A TCP port, from the last item; None for anything else."""
    return _port(next(reversed(split_list(value)), ""))


def parse_prefix(value: str) -> str | None:
    """A path without a trailing slash, empty for the root; None for anything else."""
    last = next(reversed(split_list(value)), "").rstrip("/")
    return last if _PREFIX.fullmatch(last) and not _dots(last) or not last else None


def _dots(path: str) -> bool:
    return any(part in (".", "..") for part in path.split("/"))


def _port(text: str | None) -> int | None:
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > 5:
        return None
    return int(text) if 0 < int(text) < 65536 else None

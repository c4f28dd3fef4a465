"""Forwarded headers, read: header values in, hops out; pure, and no value is too hostile to be read.

Rules: a list is read from its right end, where the nearest proxy wrote. A part that is not well-formed ends the
reading; nothing left of it is looked at. Where one proxy's word has several parts, the last is its own.
By hand: Werkzeug's ProxyFix counts hops and does not ask who wrote them; `Forwarded` (RFC 7239) it does not read.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from tlsrun.http1.authority import parse_authority
from tlsrun.http1.refusal import Refused
from tlsrun.proxies.peers import UNIX, Peers, address

#: Hops that are followed; nobody has more proxies.
_MOST_HOPS = 32
#: Characters of a host: no name is longer (RFC 1035, section 2.3.4), and frameworks refuse one that is.
_LONGEST_HOST = 253

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 -- RFC 9110, section 5.6.2
_PAIR = re.compile(rf'({_TOKEN})=(?:({_TOKEN})|"((?:[^"\\]|\\.)*)")')
_SPACE = re.compile(r"[ \t]*")

_NODE_V6 = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}))?")
_NODE_V4 = re.compile(r"([0-9.]+)(?::([0-9]{1,5}))?")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+;=:@-]+)+")


@dataclass(frozen=True, kw_only=True)
class Hop:
    """What one proxy says of who came to it.

    Arguments:
        address: in its plain form; empty for a Unix socket.
        port: of it; None when nobody says.
    """

    address: str
    port: int | None = None


def parse_node(text: str) -> Hop | None:
    """An address, perhaps with a port (RFC 7239, section 6); None for ``unknown``, a made-up name or nonsense."""
    if text in (UNIX, f"{UNIX}:"):
        return Hop(address="")
    match = _NODE_V6.fullmatch(text) or _NODE_V4.fullmatch(text)
    found = address(match[1] if match else text)
    if found is None:
        return None
    return Hop(address=str(found), port=_port(match[2]) if match else None)


def walk(entries: list[str], peers: Peers) -> tuple[int, Hop] | None:
    """Follow a list of clients from its right end to the first that is no trusted proxy.

    Where everybody is trusted there is no such one, and what a client wrote itself would be believed in the end: then
    the last entry counts, which is the nearest proxy's own.

    Arguments:
        entries: as they stand in X-Forwarded-For, or behind ``for=``.

    Returns:
        where that one stands in the list, and the hop; the last good one where an entry is none. None without any.
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
    """A list with commas (RFC 9110, section 5.6.1); empty members count for nothing."""
    return [part for part in (part.strip(" \t") for part in value.split(",")) if part]


def parse_forwarded(value: str) -> list[dict[str, str]]:
    """The elements of a Forwarded header (RFC 7239, section 4), their names in small letters.

    Where a client wrote something malformed, and a proxy its own element behind it, that last one is what is left.
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
    """``http`` or ``https``, as the nearest proxy says; None for anything else."""
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
    """A host, IPv6 in brackets, and its port, by the rule of every Host (`tlsrun.http1.authority`)."""
    text = next(reversed(split_list(value)), "")
    try:
        port = parse_authority(text.encode("latin-1", "replace")).port
    except Refused:
        return None
    host = text if text.endswith("]") else text.rpartition(":")[0] or text
    return None if len(host) > _LONGEST_HOST or port == 0 else (host, port)


def parse_port(value: str) -> int | None:
    """A TCP port."""
    return _port(next(reversed(split_list(value)), ""))


def parse_prefix(value: str) -> str | None:
    """A path without a slash at its end; empty for the root."""
    last = next(reversed(split_list(value)), "").rstrip("/")
    return last if _PREFIX.fullmatch(last) and not _dots(last) or not last else None


def _dots(path: str) -> bool:
    return any(part in (".", "..") for part in path.split("/"))


def _port(text: str | None) -> int | None:
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > 5:
        return None
    return int(text) if 0 < int(text) < 65536 else None

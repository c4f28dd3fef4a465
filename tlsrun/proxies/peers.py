"""Trusted peers: addresses, networks and Unix sockets, parsed from the setting into a set."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tlsrun.errors import ConfigurationError, Problem

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

#: The word for peers on a Unix socket; REMOTE_ADDR of such a peer may read so too.
UNIX = "unix"
#: The word for everybody.
EVERYBODY = "*"

#: What the setting accepts, as the end of a sentence "expected …".
EXPECTED = "an address, a network (10.0.0.0/8), `unix`, `*`, or `@` and the path of a file with one of them a line"


def address(text: str) -> Address | None:
    """Parse an address; IPv4-mapped IPv6 becomes IPv4. None if it is not an address."""
    if "%" in text:  # a zone (RFC 4007), which means something on one machine only
        text = text.partition("%")[0]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def unmapped(host: str) -> str:
    """Turn an IPv4-mapped IPv6 address into plain IPv4 (RFC 4291, section 2.5.5.2)."""
    return host[7:] if host.startswith("::ffff:") and "." in host else host


@dataclass(frozen=True, kw_only=True)
class Peers:
    """A set of peers.

    Arguments:
        networks: peers with an address in one of them.
        unix: peers on a Unix socket, whose address is empty.
    """

    networks: tuple[Network, ...] = ()
    unix: bool = False

    @property
    def everybody(self) -> bool:
        """Whether every address is in the set."""
        return any(network.prefixlen == 0 for network in self.networks)

    def __bool__(self) -> bool:
        return self.unix or bool(self.networks)

    def __contains__(self, peer: object) -> bool:
        return isinstance(peer, str) and bool(self) and _contains(self, peer)


#: The empty set.
NOBODY = Peers()


@functools.lru_cache(maxsize=4096)
def _contains(peers: Peers, peer: str) -> bool:
    if peer in ("", UNIX):
        return peers.unix
    found = address(peer)
    return found is not None and any(found in network for network in peers.networks)


def parse_peer(word: str) -> tuple[Network, ...] | str:
    """Parse one word of the setting: networks, `UNIX`, or ``@path``.

    Raises:
        ValueError: it is none of these.
    """
    if word == UNIX or (word.startswith("@") and len(word) > 1):
        return word
    if word == EVERYBODY:
        return (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
    return (_unmapped(ipaddress.ip_network(word, strict=False)),)


#: IPv4-mapped IPv6 (RFC 4291, section 2.5.5.2), which dual-stack sockets and their logs show.
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def _unmapped(network: Network) -> Network:
    """Turn an IPv4-mapped network into IPv4, as peers are looked up by their unmapped addresses."""
    if not (isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED)):
        return network
    return ipaddress.IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))


def read_peers(words: Iterable[str], given_by: str) -> Peers:
    """Parse the words of the setting into a set, reading the files among them.

    Arguments:
        given_by: where the words come from, for messages.

    Raises:
        ConfigurationError: a file cannot be read, or a line of it is neither an address nor a network.
    """
    networks: list[Network] = []
    problems: list[Problem] = []
    unix = False
    for word in words:
        found = parse_peer(word)
        if not isinstance(found, str):
            networks += found
            unix = unix or word == EVERYBODY
        elif found == UNIX:
            unix = True
        else:
            _read_file(Path(found[1:]), given_by, networks, problems)
    if problems:
        raise ConfigurationError(problems)
    return Peers(networks=tuple(dict.fromkeys(networks)), unix=unix)


def _read_file(path: Path, given_by: str, networks: list[Network], problems: list[Problem]) -> None:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        remedy = "Make it, with an address or a network on each line"
        problems.append(Problem(where=f"{given_by} (@{path})", what=f"it cannot be read: {why}", remedy=remedy))
        return
    for number, line in enumerate(lines, 1):
        word = line.partition("#")[0].strip()
        if not word:
            continue
        try:
            found = parse_peer(word)
        except ValueError:
            found = "@"
        if isinstance(found, str):
            problems.append(
                Problem(where=f"{path}:{number}", what=f"{word!r} is no address and no network",
                        remedy="Correct the line, or fetch the file anew")
            )  # fmt: skip
        else:
            networks += found

"""Parses and spells the places to listen on. Pure."""

from __future__ import annotations

import ipaddress
import os
import re
import urllib.parse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tlsrun.endpoint import Endpoint

#: What the setting accepts, as the end of a sentence "expected …".
EXPECTED = (
    "a list, each host:port, [IPv6]:port, :port for every address, unix:/path?mode=660&owner=USER&group=GROUP, "
    "systemd or systemd:NAME for sockets that systemd hands over, or fd://NUMBER"
)

_MODE = 0o660  # default mode of a Unix socket: its owner and group may connect
#: Size of a Unix socket's path in bytes (unix(7): sun_path, including its zero byte).
LONGEST = 107
_EVERYWHERE = ("", "0.0.0.0")  # noqa: S104 -- compared with, not bound to


@dataclass(frozen=True, kw_only=True)
class UnixSocket:
    """A Unix socket to listen on.

    Arguments:
        path: of its file, which is created at the start and removed at the end.
        mode: of the file; write permission is needed to connect (unix(7)).
        owner, group: of the file, a name or a number; None for those of the process.
    """

    path: str
    mode: int = _MODE
    owner: str | None = None
    group: str | None = None


@dataclass(frozen=True, kw_only=True)
class Handed:
    """Sockets opened by systemd (sd_listen_fds(3)).

    Arguments:
        name: only sockets of that name (``FileDescriptorName=``); None for all.
    """

    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """A listening socket that this process was started with.

    Arguments:
        number: the descriptor.
    """

    number: int


Place: TypeAlias = Endpoint | UnixSocket


@dataclass(frozen=True, kw_only=True)
class Listener:
    """One place where connections are accepted.

    Arguments:
        place: the address.
        descriptor: of a socket that was opened by another program; None if we open it.
    """

    place: Place
    descriptor: int | None = None


def parse_bind(word: str) -> Place | Handed | Descriptor:
    """Parse one word of the setting ``bind``.

    Raises:
        ValueError: it is none, with the reason in words.
    """
    if word.startswith("unix:"):
        return _unix(re.sub("^//+", "/", word.removeprefix("unix:")))
    if word == "systemd":
        return Handed()
    if word.startswith("systemd:"):
        if not word.removeprefix("systemd:"):
            raise ValueError("systemd: lacks the name of a socket")
        return Handed(name=word.removeprefix("systemd:"))
    if word.startswith("fd://"):
        number = word.removeprefix("fd://")
        if not _is_number(number):
            raise ValueError(f"{number!r} is no descriptor's number")
        return Descriptor(number=int(number))
    return _tcp(word)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6


def _tcp(word: str) -> Endpoint:
    if "://" in word:
        raise ValueError("it is an address to listen on, not a URL")
    found = re.fullmatch(r"(?:\[([^\[\]]*)\]|([^:\[\]/?]*)):([^:]*)", word)
    if found is None:
        if word.isdigit():
            raise ValueError(f"it names no address; the port of every address is :{word}")
        bare = ":" in word and not word.startswith("[")
        raise ValueError("an IPv6 address stands in brackets" if bare else "it names no port")
    inside, host, port = found.groups()
    if not _is_number(port) or int(port) > 65535:
        raise ValueError(f"{port!r} is no port (0 to 65535)")
    if inside is not None and ":" not in inside:
        raise ValueError(f"{inside!r} is no IPv6 address")
    # As is usual, an empty host means every address, of IPv4 and IPv6.
    return Endpoint(host="::" if inside is None and host in ("", "*") else inside or host, port=int(port))


def _unix(text: str) -> UnixSocket:
    path, _, query = text.partition("?")
    if not path:
        raise ValueError("unix: lacks a path")
    if "\0" in path:
        raise ValueError("a path has no zero byte")
    if path.startswith("@"):
        raise ValueError("an abstract socket has no owner and no mode, everybody could connect")
    if len(os.fsencode(path)) > LONGEST:
        raise ValueError(f"a Unix socket's path has {LONGEST} bytes at most")
    given = urllib.parse.parse_qs(query, strict_parsing=True) if query else {}
    options = {name: values[-1] for name, values in given.items()}
    unknown = set(options) - {"mode", "owner", "group"}
    if unknown:
        raise ValueError(f"{min(unknown)!r} is no option of a Unix socket: mode, owner and group are")
    mode = options.get("mode", f"{_MODE:o}")
    if not re.fullmatch(r"(?:0o?)?[0-7]{3}", mode):
        raise ValueError(f"{mode!r} is no mode, such as 660")
    owner, _, group = options.get("owner", "").partition(":")
    return UnixSocket(
        path=path, mode=int(mode[-3:], 8), owner=owner or None, group=options.get("group") or group or None
    )


def spell(place: Place) -> str:
    """``host:port``, or ``unix:/path``."""
    return place.authority if isinstance(place, Endpoint) else f"unix:{place.path}"


def url_of(listener: Listener) -> str:
    """The URL of a TCP endpoint, for a browser; the path of a Unix socket."""
    return listener.place.url if isinstance(listener.place, Endpoint) else spell(listener.place)


def spell_all(listeners: Iterable[Listener]) -> str:
    """All of them as by `spell`, separated by commas."""
    return ", ".join(spell(listener.place) for listener in listeners)


def takes_both_families(endpoint: Endpoint, others: Iterable[Place]) -> bool:
    """Whether the socket for ``endpoint`` accepts IPv4 too (dual stack): for ``::``, unless IPv4 has its own socket."""
    return endpoint.host == "::" and not any(
        isinstance(other, Endpoint) and other.host in _EVERYWHERE and other.port == endpoint.port for other in others
    )


def overlapping(places: Sequence[Place]) -> tuple[Place, Place] | None:
    """Two places that cannot both be bound; None if there are none."""
    for index, one in enumerate(places):
        for other in places[:index]:
            if one == other or (
                isinstance(one, Endpoint) and isinstance(other, Endpoint) and one.port == other.port != 0
                and (_covers(one, other, places) or _covers(other, one, places))
            ):  # fmt: skip
                return other, one
    return None


def _covers(one: Endpoint, other: Endpoint, places: Sequence[Place]) -> bool:
    if _numeric(one.host) == _numeric(other.host):
        return True
    if one.host in _EVERYWHERE:
        return ":" not in other.host
    return one.host == "::" and (":" in other.host or takes_both_families(one, places))


def _numeric(host: str) -> str:
    """An address in canonical form; no name but localhost is resolved."""
    try:
        return "127.0.0.1" if host == "localhost" else str(ipaddress.ip_address(host))
    except ValueError:
        return host.lower()


def hosts_of(places: Sequence[Place]) -> tuple[str, ...]:
    """The hosts of ``places``, to listen on another port: without duplicates, and none covered by another."""
    found: list[Endpoint] = []
    for place in places:
        if isinstance(place, Endpoint):
            found.append(Endpoint(host=place.host, port=1))
    kept = [
        one for index, one in enumerate(found)
        if not any(_covers(other, one, found) for other in found[:index])
        and not any(_covers(other, one, found) and not _covers(one, other, found) for other in found)
    ]  # fmt: skip
    return tuple(one.host for one in kept)


def redirecting(port: int | None, hosts: Iterable[str]) -> tuple[Listener, ...]:
    """Where plain HTTP is redirected: on that port of each host that is listened at; nowhere without one."""
    return () if port is None else tuple(Listener(place=Endpoint(host=host, port=port)) for host in hosts)


def public_first(places: Iterable[Place]) -> Endpoint | None:
    """The main TCP endpoint: the first that other machines can reach, else the first; None if there is none."""
    endpoints = [place for place in places if isinstance(place, Endpoint)]
    return next((one for one in endpoints if not one.is_loopback), endpoints[0] if endpoints else None)

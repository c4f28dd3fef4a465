"""Where the server listens: the endpoint that stands for all places, and why one of them cannot be bound. Pure."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from tlsrun import system
from tlsrun.deciding.facts import Facts
from tlsrun.endpoint import Endpoint
from tlsrun.errors import Problem
from tlsrun.listening.address import UnixSocket, overlapping, public_first, spell
from tlsrun.settings.layers import Resolution
from tlsrun.settings.table import Settings


def endpoint_of(settings: Settings, facts: Facts) -> Endpoint:
    """The TCP endpoint that stands for all places where the server listens: if possible, one that others can reach.

    With Unix sockets only, it is that of the proxy in front of them, on the HTTPS port.
    """
    if not facts.listeners:
        return Endpoint(host=settings.host, port=settings.port)
    found = public_first(listener.place for listener in facts.listeners)
    return found or Endpoint(host=settings.host, port=443)


def bind_problems(resolution: Resolution, facts: Facts) -> Iterator[Problem]:
    """Why the server cannot listen where it is told to, and settings about it that contradict each other."""
    settings = resolution.settings
    if settings.bind:
        for name in ("host", "port"):
            if resolution.is_given(name):
                yield Problem(
                    where=resolution.spelling(name),
                    what=f"{resolution.spelling('bind')} says where to listen, and this as well",
                    remedy="Leave one of them out",
                    code="TLS204",
                )
    clash = overlapping([one.place for one in facts.listeners if one.descriptor is None])
    if clash is not None:
        yield Problem(
            where=resolution.spelling("bind"),
            what=f"{spell(clash[0])} and {spell(clash[1])} are, in part, the same place",
            remedy="Leave one of them out",
            code="TLS204",
        )
        return
    apart = "3" in settings.http and "3" in facts.server.http_limits and not settings.bind
    if apart and [type(one.place) for one in facts.listeners] not in ([], [Endpoint]):
        yield Problem(
            where=resolution.spelling("http"),
            what="HTTP/3 listens at one address and port, by UDP, and systemd handed over more, or others",
            remedy="Leave 3 out (TLS_HTTP, --http), or name the address (TLS_BIND, --bind)",
            code="TLS203",
        )
    for place, number in facts.bind_errnos.items():
        if isinstance(place, UnixSocket):
            yield _unix_problem(resolution, place, number)
        else:
            yield from port_problems(resolution, "bind" if settings.bind else "port", place, number)


_UNIX_REASONS = {
    errno.EADDRINUSE: ("is taken: a server listens there", "Stop it (`{shown}` shows which it is), or choose another"),
    errno.EEXIST: ("is a file, and no socket", "Remove it, or choose another path"),
    errno.ENOENT: ("is in a folder that is not there", "Make it (systemd: RuntimeDirectory=), or choose another path"),
    errno.EACCES: ("is in a folder that this user may not write", "Give it to this user, or choose another path"),
}


def _unix_problem(resolution: Resolution, place: UnixSocket, number: int) -> Problem:
    otherwise = (f"cannot be bound: {errno.errorcode.get(number, number)}", "Choose another path")
    what, remedy = _UNIX_REASONS.get(number, otherwise)
    remedy = remedy.format(shown=system.who_listens(place.path))
    code = {errno.EADDRINUSE: "TLS211", errno.EACCES: "TLS212"}.get(number, "TLS213")
    return Problem(where=f"{resolution.spelling('bind')} ({spell(place)})", what=what, remedy=remedy, code=code)


_RESERVED = -errno.EACCES  # not an errno: a port that needs no privilege, and is refused all the same

_PORT_REASONS = {
    _RESERVED: (
        "cannot be had: the system holds it back, or a program has it for itself alone",
        "Choose another port (on Windows, `netsh interface ipv4 show excludedportrange tcp` lists those held back)",
        "TLS212",
    ),
    errno.EADDRINUSE: (
        "is taken by another program",
        "Stop it (`{shown}` shows which it is), or choose another port",
        "TLS211",
    ),
    errno.EACCES: (
        "is below 1024, and this user may not bind it",
        "Choose a port from 1024 up, or start with the right (CAP_NET_BIND_SERVICE)",
        "TLS212",
    ),
    errno.EAFNOSUPPORT: (
        "is an IPv6 address, and this machine has no IPv6",
        "Use 127.0.0.1 for this machine only, or 0.0.0.0 for all its addresses",
        "TLS213",
    ),
    errno.EADDRNOTAVAIL: (
        "is not an address of this machine",
        "Use 127.0.0.1 for this machine only, or 0.0.0.0 for all its addresses",
        "TLS213",
    ),
}


def port_problems(resolution: Resolution, name: str, endpoint: Endpoint, number: int | None) -> Iterator[Problem]:
    """Why ``endpoint``, from the setting ``name``, cannot be bound; ``number`` is the errno, None if it can be."""
    if number is None:
        return
    if number == errno.EADDRINUSE and (holder := system.holds_by_itself(endpoint.port)) is not None:
        yield _held_by_the_system(resolution.spelling(name), endpoint, holder)
        return
    name = "host" if number == errno.EADDRNOTAVAIL and name == "port" else name
    shown = endpoint.host if number == errno.EADDRNOTAVAIL else endpoint.authority
    if number == errno.EACCES and endpoint.port >= 1024:
        number = _RESERVED
    what, remedy, code = _PORT_REASONS.get(number, (f"cannot be bound: {errno.errorcode.get(number, number)}",
                                                    "Choose another address or port", "TLS213"))  # fmt: skip
    remedy = remedy.format(shown=system.who_listens(endpoint.port))
    yield Problem(where=f"{resolution.spelling(name)} ({shown})", what=what, remedy=remedy, code=code)


def _held_by_the_system(setting: str, endpoint: Endpoint, holder: str) -> Problem:
    return Problem(
        where=f"{setting} ({endpoint.authority})",
        what=f"is taken by another program: {holder} (System Settings, General, AirDrop & Handoff)",
        remedy=f"Choose another: --port {endpoint.port + 1}; `{system.who_listens(endpoint.port)}` shows who holds it",
        code="TLS211",
    )

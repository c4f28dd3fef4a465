"""From the settings to the places to listen on, including sockets that were handed over."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator

from tlsrun import system
from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError, Problem
from tlsrun.listening.address import LONGEST, Descriptor, Handed, Listener, UnixSocket, parse_bind, spell
from tlsrun.listening.inherited import at_hand, handed_over, listener_of


def find_listeners(
    words: Iterable[str], otherwise: Endpoint, *, where: str, elsewhere: bool = False
) -> tuple[Listener, ...]:
    """Find the places to listen on.

    Arguments:
        words: of the setting ``bind``; without any, the sockets that systemd has handed over, all of them; without
            those, ``otherwise``.
        where: the setting's name in messages.
        elsewhere: whether it is another process that will listen, or this one has its sockets by another way than
            from systemd; those that are to be handed over are left out then.

    Raises:
        ConfigurationError: what is asked for was not handed over, or cannot be listened on.
    """
    handed = handed_over()
    words = tuple(words)
    if not words:
        if handed:
            return _listeners(handed, "LISTEN_FDS in the environment")
        return (Listener(place=otherwise),)
    found: list[Listener] = []
    for word in words:
        asked = parse_bind(word)
        if not isinstance(asked, Endpoint):
            _need_unix(word, where)
        if isinstance(asked, Endpoint):
            found.append(Listener(place=_of_this_machine(asked, word)))
        elif isinstance(asked, UnixSocket):
            found.append(Listener(place=_absolute(asked, where)))
        elif not (elsewhere and not handed):
            found += [one for one in _listeners(_asked_for(asked, handed, where), where) if one not in found]
    return tuple(found)


def _need_unix(word: str, where: str) -> None:
    if not system.has_unix_sockets():
        what = "this system has no Unix sockets for Python, no systemd, and no sockets that are handed over by number"
        remedy = "Name an address and a port, such as 127.0.0.1:8443"
        raise ConfigurationError.of(where=f"{where} ({word})", what=what, remedy=remedy, code="TLS213")


def _of_this_machine(endpoint: Endpoint, word: str) -> Endpoint:
    """On a machine without IPv6, ``::`` becomes ``0.0.0.0``."""
    if word.startswith((":", "*:")) and not _has_ipv6():
        return Endpoint(host="0.0.0.0", port=endpoint.port)  # noqa: S104 -- that was asked for
    return endpoint


def _has_ipv6() -> bool:
    try:
        socket.socket(socket.AF_INET6).close()
    except OSError:
        return False
    return True


def _absolute(place: UnixSocket, where: str) -> UnixSocket:
    """Make a Unix socket's path absolute, as the working folder may be another after a restart.

    Raises:
        ConfigurationError: the path is too long so, or there is no such owner or group.
    """
    found = UnixSocket(path=os.path.abspath(place.path), mode=place.mode, owner=place.owner, group=place.group)
    what = None
    if len(os.fsencode(found.path)) > LONGEST:
        what = f"{found.path} is longer than the {LONGEST} bytes that a Unix socket's path may have"
    what = _nobody(place) or what
    if what is not None:
        remedy = "Choose another path, owner or group"
        raise ConfigurationError.of(where=f"{where} ({spell(found)})", what=what, remedy=remedy, code="TLS213")
    return found


def _nobody(place: UnixSocket) -> str | None:
    """A problem if there is no such owner or group."""
    import grp  # where there are Unix sockets, there are these
    import pwd

    for name, kind, look_up in ((place.owner, "user", pwd.getpwnam), (place.group, "group", grp.getgrnam)):
        if name is not None and not name.isdigit() and not _exists(name, look_up):
            return f"there is no {kind} {name} on this machine"
    return None


def _exists(name: str, look_up: Callable[[str], object]) -> bool:
    try:
        look_up(name)
    except (KeyError, ValueError):
        return False
    return True


def _asked_for(asked: Handed | Descriptor, handed: dict[int, str], where: str) -> Iterator[int]:
    if isinstance(asked, Descriptor):
        yield at_hand(asked.number)
        return
    found = [number for number, name in handed.items() if asked.name in (None, name)]
    if not found:
        raise ConfigurationError([_nothing(asked, handed, where)])
    yield from found


def _nothing(asked: Handed, handed: dict[int, str], where: str) -> Problem:
    if handed:
        what = f"systemd handed over no socket of the name {asked.name}, only {', '.join(handed.values())}"
        remedy = f"Set FileDescriptorName={asked.name} in the .socket unit"
    else:
        what = "systemd handed over no socket to this process (LISTEN_PID and LISTEN_FDS in its environment)"
        remedy = "Start it by a .service whose .socket is enabled: systemctl enable --now NAME.socket"
    return Problem(where=where, what=what, remedy=remedy, code="TLS213")


def _listeners(descriptors: Iterable[int], where: str) -> tuple[Listener, ...]:
    found, problems = [], []
    for descriptor in descriptors:
        try:
            found.append(listener_of(descriptor))
        except ValueError as error:
            remedy = "Hand over a socket that listens (ListenStream=, Accept=no)"
            problems.append(Problem(where=where, what=str(error), remedy=remedy, code="TLS213"))
    if problems:
        raise ConfigurationError(problems)
    return tuple(found)

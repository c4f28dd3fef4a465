"""From what the settings say to the places to listen at; what was handed over is looked at."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError, Problem
from tlsrun.listening.address import Descriptor, Handed, Listener, UnixSocket, parse_bind
from tlsrun.listening.inherited import handed_over, listener_of


def find_listeners(
    words: Iterable[str], otherwise: Endpoint, *, where: str, started_again: bool = False
) -> tuple[Listener, ...]:
    """The places to listen at.

    Arguments:
        words: of the setting ``bind``; without any, the sockets that systemd has handed over, all of them; without
            those, ``otherwise``.
        where: how the setting is called in messages.
        started_again: whether this process was started again in place, and has its sockets by another way than from
            systemd; those that were handed over then are left out.

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
        if isinstance(asked, Endpoint):
            found.append(Listener(place=asked))
        elif isinstance(asked, UnixSocket):
            found.append(Listener(place=_absolute(asked)))
        elif not (started_again and not handed):
            found += _listeners(_asked_for(asked, handed, where), where)
    return tuple(found)


def _absolute(socket: UnixSocket) -> UnixSocket:
    """The working folder may be another when the server is started again."""
    return UnixSocket(
        path=os.path.abspath(socket.path), mode=socket.mode, owner=socket.owner, group=socket.group
    )


def _asked_for(asked: Handed | Descriptor, handed: dict[int, str], where: str) -> Iterator[int]:
    if isinstance(asked, Descriptor):
        yield asked.number
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

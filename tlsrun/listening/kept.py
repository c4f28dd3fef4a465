"""Listening sockets left open across a reload by the previous program; each is taken over for its address."""

from __future__ import annotations

import contextlib
import socket

from tlsrun.endpoint import Endpoint
from tlsrun.handover import is_trial, received
from tlsrun.listening.address import Listener, Place, UnixSocket
from tlsrun.listening.inherited import place_of

_kept: list[socket.socket] | None = None


def _all() -> list[socket.socket]:
    global _kept
    if _kept is None:
        _kept = []
        for number in received().sockets:
            with contextlib.suppress(OSError):
                sock = socket.socket(fileno=number)
                sock.set_inheritable(False)
                _kept.append(sock)
    return _kept


def is_kept(place: Place) -> bool:
    """Whether there is a listening socket for it."""
    return any(sock.type == socket.SOCK_STREAM and is_at(sock, place) for sock in _all())


def take(listener: Listener) -> socket.socket | None:
    """Take the socket that listens there already; for port 0, the first one of that host. None if there is none."""
    return take_from(_all(), listener)


def take_from(sockets: list[socket.socket], listener: Listener) -> socket.socket | None:
    """As `take`, from ``sockets``, from which it is removed."""
    for sock in sockets:
        if sock.type != socket.SOCK_STREAM:
            continue
        if sock.fileno() == listener.descriptor or (listener.descriptor is None and is_at(sock, listener.place)):
            sockets.remove(sock)
            return sock
    return None


def take_datagrams(place: Endpoint) -> list[socket.socket]:
    """Take all UDP sockets that are bound there."""
    found = [sock for sock in _all() if sock.type == socket.SOCK_DGRAM and is_at(sock, place)]
    for sock in found:
        _all().remove(sock)
    return found


def take_others(listener: Listener) -> list[socket.socket]:
    """Take the other sockets at the same address: connections queued on them would be lost if they were closed."""
    found = []
    while (sock := take(listener)) is not None:
        found.append(sock)
    return found


def close_others() -> None:
    """Close the sockets that were not taken, whose addresses the settings no longer name. A trial leaves them open."""
    while _all():
        sock = _all().pop()
        if not is_trial():
            sock.close()


def is_at(sock: socket.socket, place: Place) -> bool:
    """Whether a socket is bound to ``place``; to port 0, whatever its port."""
    there = place_of(sock)
    if isinstance(place, UnixSocket) or isinstance(there, UnixSocket):
        return isinstance(place, UnixSocket) and isinstance(there, UnixSocket) and place.path == there.path
    return there.host == _numeric(place) and place.port in (0, there.port)


def _numeric(endpoint: Endpoint) -> str:
    if not endpoint.host:
        return "0.0.0.0"  # noqa: S104 -- what bind(2) makes of no host
    with contextlib.suppress(OSError):
        found = socket.getaddrinfo(endpoint.host, endpoint.port, endpoint.family, socket.SOCK_STREAM)
        return str(found[0][4][0])
    return endpoint.host

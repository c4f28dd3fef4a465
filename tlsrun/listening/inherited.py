"""Sockets that this process inherited: from systemd (sd_listen_fds(3)), or by descriptor number."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable, Mapping, MutableMapping

from tlsrun.endpoint import Endpoint
from tlsrun.handover import received, server_pid
from tlsrun.listening.address import Listener, Place, UnixSocket

_FIRST = 3  # SD_LISTEN_FDS_START
_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
#: Where systemd's variables are moved, so that a server does not take the sockets for itself.
_KEPT = "_TLSRUN_"


def handed_over(environ: Mapping[str, str] = os.environ) -> dict[int, str]:
    """The descriptors that systemd passed to this process, with their names; in a trial, those passed to the server."""
    for prefix in ("", _KEPT):
        pid, fds, names = (environ.get(prefix + name, "") for name in _VARIABLES)
        if pid == str(server_pid()) and fds.isdigit():
            return _named(int(fds), names.split(":"))
    return {}


def keep(environ: MutableMapping[str, str] = os.environ) -> None:
    """Take systemd's variables out of the environment; this process, also when it is executed anew, still finds what
    they said."""
    for name in _VARIABLES:
        if name in environ:
            environ[_KEPT + name] = environ.pop(name)


def _named(number: int, names: list[str]) -> dict[int, str]:
    names += ["unknown"] * (number - len(names))
    return {at_hand(_FIRST + index): names[index] or "unknown" for index in range(number)}


#: Device and inode of inherited sockets -> the number they were passed as.
_numbers: dict[tuple[int, int], int] = {}


def at_hand(number: int) -> int:
    """The current descriptor of a socket that was passed as ``number``; a reload may have moved it."""
    now = dict(received().moved).get(number, number)
    with contextlib.suppress(OSError):
        _numbers[_identity(now)] = number
    return now


def moved(descriptors: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """For inherited sockets among the descriptors: the number they were passed as, and their current descriptor."""
    found = ((_numbers.get(_identity(descriptor)), descriptor) for descriptor in descriptors)
    return tuple((number, descriptor) for number, descriptor in found if number is not None)


def _identity(descriptor: int) -> tuple[int, int]:
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino


def listener_of(descriptor: int) -> Listener:
    """The listener for a descriptor.

    Raises:
        ValueError: it is none, with the reason in words.
    """
    try:
        sock = socket.socket(fileno=os.dup(descriptor))
    except OSError as error:
        raise ValueError(f"descriptor {descriptor} is no socket ({error.strerror})") from error
    with sock:
        if sock.type != socket.SOCK_STREAM:
            raise ValueError(f"descriptor {descriptor} is no stream socket; HTTPS is spoken over TCP and Unix sockets")
        if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise ValueError(f"descriptor {descriptor} does not listen; a systemd socket needs Accept=no")
        return Listener(place=place_of(sock), descriptor=descriptor)


def place_of(sock: socket.socket) -> Place:
    """The address of a listening socket."""
    name, family = sock.getsockname(), sock.family
    if family in (socket.AF_INET, socket.AF_INET6) and isinstance(name, tuple):
        return Endpoint(host=str(name[0]), port=int(name[1]))
    path = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
    return UnixSocket(path=path.replace("\0", "@"))

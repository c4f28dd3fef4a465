"""Whether an address can be bound, tried without keeping it."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Sequence

from tlsrun.endpoint import Endpoint
from tlsrun.listening.address import Place, UnixSocket, takes_both_families
from tlsrun.system import has_unix_sockets


def probe(place: Place, others: Sequence[Place] = ()) -> int | None:
    """Bind ``place`` and release it at once.

    Arguments:
        others: the other places that will be listened on.

    Returns:
        None if it can be bound, else the errno: EADDRINUSE, EACCES, EADDRNOTAVAIL (also for a name that does not
        resolve); for a Unix socket also ENOENT (no such folder) and EEXIST (a file that is not a socket).
    """
    return _probe_unix(place) if isinstance(place, UnixSocket) else _probe_tcp(place, others)


def _probe_tcp(endpoint: Endpoint, others: Sequence[Place]) -> int | None:
    try:
        with socket.socket(endpoint.family, socket.SOCK_STREAM) as sock:
            if has_unix_sockets():  # with it, Winsock gives a port in use to a second program
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if endpoint.family == socket.AF_INET6:
                both = takes_both_families(endpoint, others) and socket.has_dualstack_ipv6()
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not both)
            sock.bind((endpoint.host, endpoint.port))
    except socket.gaierror:
        return errno.EADDRNOTAVAIL
    except OSError as error:
        return error.errno
    return None


def _probe_unix(place: UnixSocket) -> int | None:
    try:
        found = os.stat(place.path, follow_symlinks=False)
    except FileNotFoundError:
        folder = os.path.dirname(place.path) or "."
        if not os.path.isdir(folder):
            return errno.ENOENT
        return None if os.access(folder, os.W_OK | os.X_OK) else errno.EACCES
    except OSError as error:
        return error.errno
    if not stat.S_ISSOCK(found.st_mode):
        return errno.EEXIST
    return errno.EADDRINUSE if is_alive(place.path) else None


def is_alive(path: str) -> bool:
    """Whether a process listens on the Unix socket at ``path``."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.setblocking(False)
        try:
            sock.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            # EAGAIN: its backlog is full; EACCES: another user's; EPROTOTYPE: it takes datagrams.
            return True
    return True

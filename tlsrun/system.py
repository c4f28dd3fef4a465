"""Features of the operating system, all tested here, by the feature itself where possible.

Windows has no fork, no Unix sockets, no poll(2), and sockets are not file descriptors; macOS has no epoll(7).
"""

from __future__ import annotations

import math
import os
import select
import shlex
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Protocol

#: Whether processes can fork, and pass sockets to children by number (subprocess, ``pass_fds``).
FORKS = hasattr(os, "fork")

#: Whether shutdown(2) wakes a thread that waits to read; with Winsock it wakes no thread of the same process.
SHUTDOWN_WAKES = hasattr(select, "poll")

#: The most descriptors that a thread can watch; None for no limit. On Windows CPython's select() takes FD_SETSIZE.
MOST_WATCHED = None if any(hasattr(select, name) for name in ("poll", "epoll", "kqueue")) else 512

_BESIDES = 12  # descriptors that a server's thread watches besides: its waker, and listening sockets

#: Whether os.kill(pid, 0) tests for a process. On Windows it sends Ctrl-C to the whole console.
KILL_ASKS = not hasattr(signal, "CTRL_C_EVENT")

#: Whether an open file can be replaced and removed.
REPLACES_OPEN_FILES = KILL_ASKS

#: The flags of select.poll.
READABLE: int = getattr(select, "POLLIN", 1)
WRITABLE: int = getattr(select, "POLLOUT", 4)

#: Seconds between two checks of conditions without a descriptor.
LOOK_AGAIN = 0.2

#: Whether the kernel distributes connections over sockets on the same port (SO_REUSEPORT, socket(7)). On other systems
#: the last socket usually gets all.
SPREADS_CONNECTIONS = sys.platform == "linux"

_ON_MACOS = sys.platform == "darwin"
_AF_UNIX: int | None = getattr(socket, "AF_UNIX", None)


def most_connections(wanted: int) -> int:
    """``wanted``, or the most connections that a thread can watch."""
    return wanted if MOST_WATCHED is None else min(wanted, MOST_WATCHED - _BESIDES)


class _Waitable(Protocol):
    def fileno(self) -> int: ...


def has_unix_sockets() -> bool:
    """Whether Python has Unix sockets here."""
    return _AF_UNIX is not None


def is_unix(sock: socket.socket) -> bool:
    """Whether it is a Unix socket."""
    return _AF_UNIX is not None and sock.family == _AF_UNIX


def wait_for(sock: _Waitable, events: int, seconds: float | None) -> bool:
    """Wait for one of ``events`` (`READABLE`, `WRITABLE`) at one socket, whatever its number.

    Arguments:
        seconds: the longest time; None for ever.

    Returns:
        whether one occurred in time.

    Raises:
        ValueError: the socket is closed.
    """
    if hasattr(select, "poll"):
        poller = select.poll()
        poller.register(sock, events)
        return bool(poller.poll(None if seconds is None else seconds * 1000))
    reading, writing = ([sock] if events & one else [] for one in (READABLE, WRITABLE))
    # Winsock reports a failed connection attempt as exceptional, and a reset connection as readable.
    return any(select.select(reading, writing, [], seconds))


def wait_to_read(sock: _Waitable, seconds: float | None, *, unless: Callable[[], bool]) -> bool:
    """As `wait_for`, without `SHUTDOWN_WAKES`: also ends when ``unless`` returns true."""
    deadline = math.inf if seconds is None else time.monotonic() + seconds
    while not wait_for(sock, READABLE, max(0.0, min(LOOK_AGAIN, deadline - time.monotonic()))):
        if unless() or time.monotonic() >= deadline:
            return False
    return True


def who_listens(place: int | str) -> str:
    """The command that shows which program holds a TCP port, or listens on a Unix socket."""
    if isinstance(place, str):
        return f"lsof {shlex.quote(place)}" if _ON_MACOS else "ss -lxp"
    if _ON_MACOS:
        return f"lsof -nP -iTCP:{place} -sTCP:LISTEN"
    return f'netstat -ano | findstr ":{place} "' if sys.platform == "win32" else "ss -lntup"


def holds_by_itself(port: int) -> str | None:
    """The part of the system itself that listens on a port; None if none is known."""
    return "AirPlay Receiver, usually" if _ON_MACOS and port in (5000, 7000) else None

"""What this operating system has: asked here, by feature where there is one to ask for, so that nobody else has to.

Windows has no fork, no Unix sockets, no poll(2), and descriptors that are no numbers of files; macOS has no epoll(7).
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

#: Whether a child process can be given sockets by their numbers (subprocess, ``pass_fds``), and processes can fork.
FORKS = hasattr(os, "fork")

#: Whether shutdown(2) wakes a thread that waits to read. Winsock wakes nobody of the same process.
SHUTDOWN_WAKES = hasattr(select, "poll")

#: How many descriptors one thread can watch; None without a limit. On Windows, CPython's select() takes FD_SETSIZE.
MOST_WATCHED = None if any(hasattr(select, name) for name in ("poll", "epoll", "kqueue")) else 512

_BESIDES = 12  # that a server's thread watches besides: what wakes it, and sockets that listen

#: The number 0 is Ctrl-C there, for everybody at the console, and asks for nothing (os.kill, "Windows").
KILL_ASKS = not hasattr(signal, "CTRL_C_EVENT")

#: Whether a file that somebody has open can be replaced and removed.
REPLACES_OPEN_FILES = KILL_ASKS

#: As select.poll has them.
READABLE: int = getattr(select, "POLLIN", 1)
WRITABLE: int = getattr(select, "POLLOUT", 4)

#: Seconds between two looks at what no descriptor tells.
LOOK_AGAIN = 0.2

#: Whether sockets that listen at the same port get a part of the connections each (SO_REUSEPORT, socket(7)). Elsewhere
#: mostly the last one gets all.
SPREADS_CONNECTIONS = sys.platform == "linux"

_ON_MACOS = sys.platform == "darwin"
_AF_UNIX: int | None = getattr(socket, "AF_UNIX", None)


def most_connections(wanted: int) -> int:
    """How many connections one thread can watch, of as many as are wanted."""
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
        seconds: at most; None for ever.

    Returns:
        whether one came in time.

    Raises:
        ValueError: the socket is closed.
    """
    if hasattr(select, "poll"):
        poller = select.poll()
        poller.register(sock, events)
        return bool(poller.poll(None if seconds is None else seconds * 1000))
    reading, writing = ([sock] if events & one else [] for one in (READABLE, WRITABLE))
    # Winsock tells of a connection that could not be made among the exceptional ones; of others, as reading.
    return any(select.select(reading, writing, [], seconds))


def wait_to_read(sock: _Waitable, seconds: float | None, *, unless: Callable[[], bool]) -> bool:
    """As `wait_for`, where nothing wakes who waits (`SHUTDOWN_WAKES`): until ``unless`` says so, too."""
    deadline = math.inf if seconds is None else time.monotonic() + seconds
    while not wait_for(sock, READABLE, max(0.0, min(LOOK_AGAIN, deadline - time.monotonic()))):
        if unless() or time.monotonic() >= deadline:
            return False
    return True


def who_listens(place: int | str) -> str:
    """The command that shows who holds a TCP port, or listens at the path of a Unix socket."""
    if isinstance(place, str):
        return f"lsof {shlex.quote(place)}" if _ON_MACOS else "ss -lxp"
    if _ON_MACOS:
        return f"lsof -nP -iTCP:{place} -sTCP:LISTEN"
    return f'netstat -ano | findstr ":{place} "' if sys.platform == "win32" else "ss -lntup"


def holds_by_itself(port: int) -> str | None:
    """What of the system itself is known to listen at a port; None for nothing."""
    return "AirPlay Receiver, mostly" if _ON_MACOS and port in (5000, 7000) else None

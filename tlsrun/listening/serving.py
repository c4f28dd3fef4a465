"""A socket that listens already, served by an event loop."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from typing import Any

#: Since Python 3.13 a loop removes a Unix socket's file when it ends to serve there (asyncio's and uvloop's
#: ``create_unix_server``). But whose file it is decides: a successor may serve there, and systemd's outlives all.
_KEEP_FILE: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}


async def serve(
    loop: asyncio.AbstractEventLoop, protocol: Callable[[], asyncio.BaseProtocol], sock: socket.socket, *, backlog: int
) -> asyncio.Server:
    """Accept clients at ``sock``, each with a protocol of its own.

    Arguments:
        protocol: makes one.
        sock: TCP or Unix; its file stays when the server is closed.
        backlog: how many the kernel may keep waiting, and how many are accepted in one turn of the loop.
    """
    if sock.family == socket.AF_UNIX:
        return await loop.create_unix_server(protocol, sock=sock, backlog=backlog, **_KEEP_FILE)
    return await loop.create_server(protocol, sock=sock, backlog=backlog)

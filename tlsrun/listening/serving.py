"""Serving an already listening socket from an event loop."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from typing import Any

#: Since Python 3.13 a loop removes a Unix socket's file when it stops serving (``create_unix_server`` of asyncio and
#: uvloop). We decide that elsewhere: a successor may already serve there, and systemd's sockets outlive every server.
_KEEP_FILE: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}


async def serve(
    loop: asyncio.AbstractEventLoop, protocol: Callable[[], asyncio.BaseProtocol], sock: socket.socket, *, backlog: int
) -> asyncio.Server:
    """Accept clients on ``sock``, each with its own protocol.

    Arguments:
        protocol: the protocol factory.
        sock: TCP or Unix; a Unix socket's file is not removed when the server is closed.
        backlog: of listen(2), and how many connections are accepted in one iteration of the loop.
    """
    if sock.family == socket.AF_UNIX:
        return await loop.create_unix_server(protocol, sock=sock, backlog=backlog, **_KEEP_FILE)
    return await loop.create_server(protocol, sock=sock, backlog=backlog)

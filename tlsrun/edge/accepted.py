"""Stops accepting without losing the connections that the event loop has just accepted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

_ROUNDS = 4  # of the loop: a task is made, it makes the transport, that calls connection_made; and one to spare


async def close_all(servers: Iterable[asyncio.Server]) -> None:
    """Stop accepting, and return once every accepted connection has its protocol (``connection_made`` was called).

    asyncio of Python 3.11 drops who has been accepted, and has no transport yet, when the server is closed. So at first
    the loop only looks at the sockets no more; uvloop, which keeps such clients, does not let itself be told that.
    """
    loop, servers = asyncio.get_running_loop(), list(servers)
    for server in servers:
        for sock in server.sockets:
            with contextlib.suppress(RuntimeError):
                loop.remove_reader(sock.fileno())
    await _rounds()
    for server in servers:
        server.close()
    await _rounds()


async def _rounds() -> None:
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)

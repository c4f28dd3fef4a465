"""Stops accepting without losing the connections that the event loop has just accepted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

_ROUNDS = 4  # of the loop: it starts a task, which makes the transport, which calls connection_made; one to spare


async def close_all(servers: Iterable[asyncio.Server]) -> None:
    """Stop accepting, and return once every accepted connection has its protocol (``connection_made`` was called).

    When a server is closed, asyncio of Python 3.11 drops connections that were accepted and have no transport yet. So
    the loop at first only stops watching the sockets; uvloop, which keeps such connections, refuses that.
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

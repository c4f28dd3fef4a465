"""What an event loop has accepted, and no protocol knows of yet."""

from __future__ import annotations

import asyncio

_ROUNDS = 4  # of the loop: a task is made, it makes the transport, that calls connection_made; and one to spare


async def until_made() -> None:
    """Wait until each connection that was accepted has its protocol (``connection_made``).

    Called when a server was closed, before its connections are counted: who was accepted in that moment would be lost.
    """
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)

"""A server that stops loses nobody whom the event loop has accepted just before."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest
import uvloop

from tlsrun.edge.accepted import close_all


@pytest.mark.parametrize("rounds", range(6))
@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_nobody_is_lost(new_loop: Callable[[], asyncio.AbstractEventLoop], rounds: int) -> None:
    """Whenever it closes, a client is known here, or waits at the socket for whoever has it, too."""
    made: list[asyncio.BaseTransport] = []

    class Noting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.append(transport)

    async def stop_after_rounds() -> None:
        server = await loop.create_server(Noting, sock=listening.dup())
        with socket.create_connection(listening.getsockname()):
            for _ in range(rounds):
                await asyncio.sleep(0)
            await close_all([server])
            if not made:
                listening.accept()[0].close()
            for transport in made:
                transport.close()
            await asyncio.sleep(0)

    loop = new_loop()
    try:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            loop.run_until_complete(stop_after_rounds())
    finally:
        loop.close()

"""A port that is published under another number, as a container engine does it: TCP and UDP, byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

from tests.support.clients import Address


class _Datagrams:
    """One socket outside; inside one for each client."""

    def __init__(self, loop: asyncio.AbstractEventLoop, outside: int, inside: int) -> None:
        self._loop = loop
        self._inside = ("127.0.0.1", inside)
        self._outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._outside.bind(("127.0.0.1", outside))
        self._outside.setblocking(False)
        self._clients: dict[Address, socket.socket] = {}
        loop.add_reader(self._outside, self._forth)

    def _forth(self) -> None:
        data, client = self._outside.recvfrom(65536)
        if client not in self._clients:
            made = self._clients[client] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.connect(self._inside)
            made.setblocking(False)
            self._loop.add_reader(made, self._back, made, client)
        with contextlib.suppress(OSError):  # full, or nobody listens: datagrams get lost
            self._clients[client].send(data)

    def _back(self, made: socket.socket, client: Address) -> None:
        with contextlib.suppress(OSError):
            self._outside.sendto(made.recv(65536), client)

    def close(self) -> None:
        for one in (self._outside, *self._clients.values()):
            self._loop.remove_reader(one)
            one.close()


@contextlib.contextmanager
def published(outside: int, inside: int) -> Iterator[None]:
    """Have the port ``outside`` of 127.0.0.1 be that of ``inside``, for TCP and UDP, until the block ends."""
    loop, ready, ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        pumps: set[asyncio.Task[None]] = set()

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, here = await asyncio.open_connection("127.0.0.1", inside)
            for pair in ((reader, here), (there, writer)):
                pumps.add(asyncio.ensure_future(_pump(*pair)))

        server = await asyncio.start_server(accepted, "127.0.0.1", outside)
        with contextlib.closing(_Datagrams(loop, outside, inside)):
            ready.set()
            await ended.wait()
        server.close()
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError), contextlib.closing(writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

"""The life of an edge: accept, serve, stop."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import logging
import socket
import time
from collections.abc import Callable, Sequence

from tlsrun.edge.accepted import close_all
from tlsrun.edge.closing import LAST_REQUEST
from tlsrun.edge.connection import EdgeConnection
from tlsrun.edge.deadlines import expire, stop
from tlsrun.edge.shared import Shared
from tlsrun.listening.serving import serve

_log = logging.getLogger("tlsrun.edge")

_TICK = 0.5  # seconds between two checks of the deadlines
_GLANCES = 3  # iterations of the loop in which received data is read
_BURST = 16  # connections that asyncio accepts in a row, before any of them is counted
_BACKLOG = 1024  # of listen(2); the system may cap it


class Edge:
    """An edge: its listening sockets and their clients.

    Arguments:
        loop: the event loop to run on.
        listeners: listening sockets.
        shared: what all connections use.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, listeners: Sequence[socket.socket], shared: Shared) -> None:
        self._loop = loop
        self._listeners = tuple(listeners)
        self.shared = shared
        self._tick = min(_TICK, shared.limits.shortest / 4)
        self._stop = asyncio.Event()
        self._look()
        loop.add_reader(shared.poller.fileno(), self._dispatch)

    async def run(self, on_ready: Callable[[Edge], None] | None) -> None:
        """Serve until `stop` is called."""
        servers = [await self._listen(sock) for sock in self._listeners]
        ticking = self._loop.create_task(self._keep_time())
        try:
            if on_ready is not None:
                on_ready(self)
            await self._stop.wait()
        finally:
            await close_all(servers)
        await self._finish()
        ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticking
        self.shared.error_log.flush()
        self.shared.queue.close()
        self._loop.remove_reader(self.shared.poller.fileno())
        self.shared.poller.close()

    async def _listen(self, sock: socket.socket) -> asyncio.Server:
        if sock.family != socket.AF_UNIX:
            # asyncio sets this only on sockets that say they are TCP (proto 0 does not); accepted ones inherit it.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = await serve(self._loop, lambda: EdgeConnection(self.shared), sock, backlog=_BURST)
        sock.listen(_BACKLOG)
        return server

    def stop(self) -> None:
        """Accept no more connections, finish running requests, return from `run`. Safe from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            self._loop.call_soon_threadsafe(self._stop.set)

    async def _finish(self) -> None:
        self.shared.stopping = True
        for client in list(self.shared.connections):
            stop(client, LAST_REQUEST)
        end = self._loop.time() + self.shared.limits.grace
        while self.shared.connections and self._loop.time() < end:
            await asyncio.sleep(0.02)
        if self.shared.connections:
            _log.warning(
                "%d connections were cut off after %g s", len(self.shared.connections), self.shared.limits.grace
            )
            for client in list(self.shared.connections):
                client.abort()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    def _dispatch(self) -> None:
        for handle in self.shared.poller.wait(0):
            handle()

    async def _keep_time(self) -> None:
        """Update the clock, and expire connections whose deadline has passed."""
        while True:
            await asyncio.sleep(self._tick)
            self._look()
            self.shared.error_log.look()
            late = self._loop.time()
            # Data that came in time counts, even if this process was too busy to read it (uvloop runs timers first).
            for _ in range(_GLANCES):
                await asyncio.sleep(0)
            for client in list(self.shared.connections):
                if client.deadline <= late:
                    _expire(client)

    def _look(self) -> None:
        self.shared.date = _date_line()
        self.shared.now = self._loop.time() + self._tick


def _expire(client: EdgeConnection) -> None:
    """Expire one connection; an error in it must not affect the deadlines of the others."""
    try:
        expire(client)
    except Exception:
        _log.exception("a deadline failed inside the edge")
        client.abort()


def _date_line() -> bytes:
    """The Date header line (RFC 9110, section 6.6.1)."""
    return f"Date: {email.utils.formatdate(time.time(), usegmt=True)}\r\n".encode()

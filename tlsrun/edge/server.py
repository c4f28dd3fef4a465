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

_TICK = 0.5  # seconds between two looks at the deadlines
_GLANCES = 3  # rounds of the loop in which what has come is read
_BURST = 16  # connections that asyncio accepts before it looks at anything else: they are not counted yet
_BACKLOG = 1024  # connections that the system may hold until they are accepted; it may be set to hold fewer


class Edge:
    """Listening sockets and their clients.

    Arguments:
        loop: runs everything.
        listeners: listening sockets.
        shared: for all connections.
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
        """Take no more connections, finish what is begun, return from `run`. May be called by any thread."""
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
        """Look at the clock, and at who is late."""
        while True:
            await asyncio.sleep(self._tick)
            self._look()
            self.shared.error_log.look()
            late = self._loop.time()
            # What has come in time counts, though this process was kept from looking at it (uvloop: timers go first).
            for _ in range(_GLANCES):
                await asyncio.sleep(0)
            for client in list(self.shared.connections):
                if client.deadline <= late:
                    _expire(client)

    def _look(self) -> None:
        self.shared.date = _date_line()
        self.shared.now = self._loop.time() + self._tick


def _expire(client: EdgeConnection) -> None:
    """One client's failure must not keep the others' deadlines from being kept."""
    try:
        expire(client)
    except Exception:
        _log.exception("a deadline failed inside the edge")
        client.abort()


def _date_line() -> bytes:
    """RFC 9110, section 6.6.1."""
    return f"Date: {email.utils.formatdate(time.time(), usegmt=True)}\r\n".encode()

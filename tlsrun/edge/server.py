"""What all connections of one edge share, and its life: accept, serve, stop."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import logging
import resource
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence

from tlsrun.edge.accepted import close_all
from tlsrun.edge.access import Access
from tlsrun.edge.complaints import Complaints
from tlsrun.edge.connection import Connection
from tlsrun.edge.deadlines import evict, expire, stop
from tlsrun.edge.limits import Limits
from tlsrun.edge.parting import LAST_WORD
from tlsrun.edge.queue import Queue
from tlsrun.edge.variables import connection_variables
from tlsrun.polling.poller import new_poller
from tlsrun.proxies.peers import Peers, unmapped
from tlsrun.spool import Room

_log = logging.getLogger("tlsrun.edge")

_TICK = 0.5  # seconds between two looks at the deadlines
_GLANCES = 3  # rounds of the loop in which what has come is read
_SPARE = 256  # descriptors for other things than clients and workers
_BURST = 16  # connections that asyncio accepts before it looks at anything else: they are not counted yet
_BACKLOG = 1024  # connections that the system may hold until they are accepted; it may be set to hold fewer


class Edge:
    """Listening sockets and their clients.

    Arguments:
        loop: runs everything.
        listeners: listening sockets.
        context: makes the TLS side of a connection.
        upstream: path of the workers' Unix socket, which speaks the uwsgi protocol.
        limits: what one client may take.
        handshake_timeout: seconds for a whole handshake.
        server_name: SERVER_NAME; None for the address that the client came to.
        facts: variables about a finished handshake.
        trusted: proxies that may speak of their clients by headers.
        access: is told of each request; None for no access log.
        given_up: called before a request is given up that a worker was asked to answer.

    Attributes:
        stopping: no further request is taken from a connection than the one it is at.
        date: the Date header line of now.
        now: see `tlsrun.edge.turns.Clock`.
        room: for answers whose clients are slow.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listeners: Sequence[socket.socket],
        context: ssl.SSLContext,
        *,
        upstream: str,
        limits: Limits,
        handshake_timeout: float,
        server_name: str | None,
        facts: Callable[[ssl.SSLObject], Mapping[str, str]],
        trusted: Peers,
        access: Access | None,
        given_up: Callable[[], None],
    ) -> None:
        self.context = context
        self.upstream = upstream
        self.limits = limits
        self.handshake_timeout = handshake_timeout
        self.access = access
        self.given_up = given_up
        self.trusted = trusted
        self._tick = min(_TICK, limits.shortest / 4)
        self.now = 0.0
        self.poller = new_poller()
        loop.add_reader(self.poller.fileno(), self._dispatch)
        self.queue = Queue(loop)
        self.room = Room(limits.answers)
        self.complaints = Complaints()
        self.stopping = False
        self.date = _date_line()
        self._loop = loop
        self._listeners = tuple(listeners)
        self._server_name = server_name
        self._facts = facts
        self._connections: set[Connection] = set()
        self._idle: dict[Connection, None] = {}  # those that no request is at, the one that waits longest first
        self._most = _room_for(limits.connections)
        self._stop = asyncio.Event()
        self._look()

    # What connections tell.

    def arrived(self, client: Connection) -> None:
        """A client has connected; when there are too many, the one that has waited longest goes."""
        self._connections.add(client)
        self._idle[client] = None
        if len(self._connections) > self._most:
            oldest = next(iter(self._idle))
            del self._idle[oldest]
            evict(oldest)

    def occupied(self, client: Connection) -> None:
        """A request of it is being dealt with."""
        self._idle.pop(client, None)

    def idle(self, client: Connection) -> None:
        """It waits for its next request."""
        self._idle[client] = None

    def left(self, client: Connection) -> None:
        """It is gone."""
        self._connections.discard(client)
        self._idle.pop(client, None)

    def variables(self, client: Connection, tls: ssl.SSLObject) -> bytes:
        """What is the same for all its requests."""
        host, port = client.here
        return connection_variables(
            server=(self._server_name or unmapped(host), port),
            peer=(unmapped(client.peer[0]), client.peer[1]),
            facts=self._facts(tls),
        )

    # Life.

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
        self.complaints.flush()
        self.queue.close()
        self._loop.remove_reader(self.poller.fileno())
        self.poller.close()

    async def _listen(self, sock: socket.socket) -> asyncio.Server:
        if sock.family == socket.AF_UNIX:
            server = await self._loop.create_unix_server(lambda: Connection(self), sock=sock, backlog=_BURST)
        else:
            # asyncio sets this only on sockets that say they are TCP (proto 0 does not); accepted ones inherit it.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = await self._loop.create_server(lambda: Connection(self), sock=sock, backlog=_BURST)
        sock.listen(_BACKLOG)
        return server

    def stop(self) -> None:
        """Take no more connections, finish what is begun, return from `run`. May be called by any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            self._loop.call_soon_threadsafe(self._stop.set)

    async def _finish(self) -> None:
        self.stopping = True
        for client in list(self._connections):
            stop(client, LAST_WORD)
        end = self._loop.time() + self.limits.grace
        while self._connections and self._loop.time() < end:
            await asyncio.sleep(0.02)
        if self._connections:
            _log.warning("%d connections were cut off after %g s", len(self._connections), self.limits.grace)
            for client in list(self._connections):
                client.abort()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    def _dispatch(self) -> None:
        for handle in self.poller.wait(0):
            handle()

    async def _keep_time(self) -> None:
        """Look at the clock, and at who is late."""
        while True:
            await asyncio.sleep(self._tick)
            self._look()
            self.complaints.look()
            late = self._loop.time()
            # What has come in time counts, though this process was kept from looking at it (uvloop: timers go first).
            for _ in range(_GLANCES):
                await asyncio.sleep(0)
            for client in list(self._connections):
                if client.deadline <= late:
                    _expire(client)

    def _look(self) -> None:
        self.date = _date_line()
        self.now = self._loop.time() + self._tick


def _expire(client: Connection) -> None:
    """One client's failure must not keep the others' deadlines from being kept."""
    try:
        expire(client)
    except Exception:
        _log.exception("a deadline failed inside the edge")
        client.abort()


def _date_line() -> bytes:
    """RFC 9110, section 6.6.1."""
    return f"Date: {email.utils.formatdate(time.time(), usegmt=True)}\r\n".encode()


def _room_for(connections: int) -> int:
    """How many clients the descriptors suffice for, each with a worker's socket; asks for more of them if need be."""
    wanted = 2 * connections + 2 * _SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, min(connections, (soft - min(_SPARE, soft // 2)) // 2))

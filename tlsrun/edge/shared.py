"""State shared by all connections of an edge, and the bookkeeping of which are new, idle, busy or gone."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tlsrun.edge.access import Access
from tlsrun.edge.limits import EdgeLimits
from tlsrun.edge.log_limit import RateLimitedLog
from tlsrun.edge.queue import Queue
from tlsrun.edge.variables import connection_variables
from tlsrun.polling.poller import new_poller
from tlsrun.proxies.peers import Peers, unmapped
from tlsrun.spool import Room

_SPARE = 256  # descriptors reserved for anything but clients and workers


class ClientConnection(Protocol):
    """A client's connection, as `Shared` sees it."""

    peer: tuple[str, int]
    here: tuple[str, int]

    def evict(self) -> None:
        """Close: there are too many connections, and this one has been idle longest."""


class Shared:
    """Shared by all connections of an edge.

    Arguments:
        loop: the edge's event loop.
        context: makes the TLS side of a connection.
        upstream: path of the workers' Unix socket, which speaks the uwsgi protocol.
        limits: timeouts and sizes.
        handshake_timeout: seconds for a whole handshake.
        server_name: SERVER_NAME; None for the address that the client connected to.
        facts: returns the variables for a finished handshake.
        trusted: proxies whose forwarded headers are passed on.
        access: called for each request; None for no access log.
        given_up: called before a request is abandoned that a worker has been given.

    Attributes:
        stopping: each connection finishes its current request and takes no other.
        date: the current Date header line.
        now: see `tlsrun.edge.deadline_channel.Clock`.
        room: the limit on answers buffered for slow clients.
        connections: all open connections.
        poller: watches the sockets to the workers, and clients that may reset.
        queue: requests waiting for a free worker.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: ssl.SSLContext,
        *,
        upstream: str,
        limits: EdgeLimits,
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
        self.poller = new_poller()
        self.queue = Queue(loop)
        self.room = Room(limits.answers)
        self.error_log = RateLimitedLog()
        self.stopping = False
        self.connections: set[Any] = set()
        self.date = b""
        self.now = 0.0
        self._server_name = server_name
        self._facts = facts
        self._most = _room_for(limits.connections)
        self._idle: dict[ClientConnection, None] = {}  # idle connections, longest idle first

    def arrived(self, client: ClientConnection) -> None:
        """Add a new connection; if there are too many, evict the one that has been idle longest."""
        self.connections.add(client)
        self._idle[client] = None
        if len(self.connections) > self._most:
            oldest = next(iter(self._idle))
            del self._idle[oldest]
            oldest.evict()

    def occupied(self, client: ClientConnection) -> None:
        """Mark a connection as busy with a request."""
        self._idle.pop(client, None)

    def idle(self, client: ClientConnection) -> None:
        """Mark a connection as waiting for its next request."""
        self._idle[client] = None

    def left(self, client: ClientConnection) -> None:
        """Remove a closed connection."""
        self.connections.discard(client)
        self._idle.pop(client, None)

    def variables(self, client: ClientConnection, tls: ssl.SSLObject) -> bytes:
        """The variables that are the same for all requests of a connection."""
        host, port = client.here
        return connection_variables(
            server=(self._server_name or unmapped(host), port),
            peer=(unmapped(client.peer[0]), client.peer[1]),
            facts=self._facts(tls),
        )


def _room_for(connections: int) -> int:
    """How many clients there are descriptors for, each with a worker's socket; raises the limit if necessary."""
    wanted = 2 * connections + 2 * _SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, min(connections, (soft - min(_SPARE, soft // 2)) // 2))

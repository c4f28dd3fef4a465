"""What all connections of one edge share, and what they tell: who has come, who waits, who has gone."""

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

_SPARE = 256  # descriptors for other things than clients and workers


class ClientConnection(Protocol):
    """A connection, as far as the others are concerned."""

    peer: tuple[str, int]
    here: tuple[str, int]

    def evict(self) -> None:
        """There are too many connections, and this one has waited longest."""


class Shared:
    """What a connection finds.

    Arguments:
        loop: runs everything.
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
        now: see `tlsrun.edge.deadline_channel.Clock`.
        room: for answers whose clients are slow.
        connections: all that there are.
        poller: tells of the sockets to the workers, and of clients that break off.
        queue: of requests that no worker has room for.
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
        self._idle: dict[ClientConnection, None] = {}  # those that no request is at, the one that waits longest first

    def arrived(self, client: ClientConnection) -> None:
        """A client has connected; when there are too many, the one that has waited longest goes."""
        self.connections.add(client)
        self._idle[client] = None
        if len(self.connections) > self._most:
            oldest = next(iter(self._idle))
            del self._idle[oldest]
            oldest.evict()

    def occupied(self, client: ClientConnection) -> None:
        """A request of it is being dealt with."""
        self._idle.pop(client, None)

    def idle(self, client: ClientConnection) -> None:
        """It waits for its next request."""
        self._idle[client] = None

    def left(self, client: ClientConnection) -> None:
        """It is gone."""
        self.connections.discard(client)
        self._idle.pop(client, None)

    def variables(self, client: ClientConnection, tls: ssl.SSLObject) -> bytes:
        """What is the same for all its requests."""
        host, port = client.here
        return connection_variables(
            server=(self._server_name or unmapped(host), port),
            peer=(unmapped(client.peer[0]), client.peer[1]),
            facts=self._facts(tls),
        )


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

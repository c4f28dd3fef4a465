"""QUIC for HTTP/3: a worker's UDP socket, aioquic's connections on it, and their deadlines. TLS: `quic_tls`."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import Any, cast

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import QuicServer
from aioquic.buffer import Buffer  # type: ignore[attr-defined] # the documented place
from aioquic.h3.connection import ErrorCode
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import (
    ConnectionIdIssued,
    ConnectionIdRetired,
    ConnectionTerminated,
    HandshakeCompleted,
    ProtocolNegotiated,
    QuicEvent,
)
from aioquic.quic.packet import pull_quic_header

from tlsrun.servers.hypercorn.datagram_forwarder import LENGTH, DatagramForwarder, name_in
from tlsrun.servers.hypercorn.datagrams import Datagrams
from tlsrun.servers.hypercorn.environ import Line
from tlsrun.servers.hypercorn.http3 import Http3
from tlsrun.servers.hypercorn.quic_tls import facts_of, listen_for_name
from tlsrun.servers.hypercorn.serving import Serving
from tlsrun.servers.hypercorn.streams import StreamFactory
from tlsrun.servers.hypercorn.tasks import Tasks
from tlsrun.wsgi.facts import Untold

#: Concurrent handshakes above which a client must first prove its address by Retry (RFC 9000, section 8.1.2).
_CROWD = 64


class QuicEndpoint(QuicServer):
    """A worker's side of one UDP socket.

    Arguments:
        worker: the worker it belongs to.
        sock: the socket.
        post: forwards datagrams of other workers' connections.
        seat: this worker's.

    Attributes:
        clients: the open connections.
        known: the same by connection ID.
        shaking: number of unfinished handshakes.
    """

    def __init__(
        self, worker: Serving, sock: socket.socket, configuration: QuicConfiguration, post: DatagramForwarder, seat: int
    ) -> None:
        super().__init__(configuration=configuration, create_protocol=self._create)
        self._worker = worker
        self._post = post
        self._seat = seat
        self.clients: set[Http3Connection] = set()
        self.known: dict[bytes, Http3Connection] = {}
        self._named = b""
        self.shaking = 0
        self._datagrams = Datagrams(worker.loop, sock, self._take)
        self.connection_made(cast("asyncio.DatagramTransport", self._datagrams))
        worker.loop.add_reader(post.box(seat), self._open_letters)

    def stop_reading(self) -> None:
        """Stop reading: another worker reads the socket from now on, and forwards this one's datagrams."""
        self._datagrams.stop_reading()

    def _take(self, data: bytes, address: Any) -> None:
        """Handle a datagram or forward it to the worker that has its connection."""
        name = name_in(data)
        seat = None if name in self.known else self._post.seat_of(name)
        if seat is None or seat == self._seat:
            self._deliver(name, data, address)
        else:
            self._post.send(seat, data, address)

    def _open_letters(self) -> None:
        for data, address in self._post.letters(self._seat):
            self._deliver(name_in(data), data, address)

    def _deliver(self, name: bytes, data: bytes, address: Any) -> None:
        """Pass a datagram to its connection, which may be a new one."""
        if (known := self.known.get(name)) is not None:
            known.datagram_received(data, address)
            return
        # Require a Retry token under load; validate the tokens sent out then also after the load has fallen.
        proves = self.shaking > _CROWD or self._has_proof(data)
        self._retry = self._post.proof if proves else None  # type: ignore[assignment] # as aioquic itself
        self._named = name
        self.datagram_received(data, address)

    def _has_proof(self, data: bytes) -> bool:
        try:
            header = pull_quic_header(Buffer(data=data), host_cid_length=LENGTH)
        except ValueError:
            return False
        return bool(header.token) and self._post.proof.made(header.token)

    @property
    def busy(self) -> bool:
        """Whether some connection was not told to close."""
        return not all(client.over for client in self.clients)

    def see_off(self, *, late: bool) -> None:
        """Close idle connections gracefully (GOAWAY, CONNECTION_CLOSE).

        Arguments:
            late: whether the time for one more request is over.
        """
        for client in list(self.clients):
            client.see_off(late=late)

    def _create(self, quic: QuicConnection, stream_handler: Any = None) -> Http3Connection:
        self._post.call(quic, self._seat)
        return Http3Connection(quic, self, self._worker, self._named)


class Http3Connection(QuicConnectionProtocol):
    """One client's connection.

    Arguments:
        name: the connection ID chosen by the client, until it knows one of ours.
    """

    def __init__(self, quic: QuicConnection, endpoint: QuicEndpoint, worker: Serving, name: bytes) -> None:
        super().__init__(quic)
        self.quic = quic
        self._endpoint = endpoint
        self._worker = worker
        self._tasks = Tasks(worker.loop, worker.dispatcher, self._fail)
        self._h3: Http3 | None = None
        self._peer: tuple[str, int] | None = None
        self._events: deque[QuicEvent] = deque()
        self._pumping = False
        self._shaking = True
        self._over = self._left = False
        endpoint.clients.add(self)
        self._names: set[bytes] = set()
        self._add_name(name)
        self._add_name(quic.host_cid)
        endpoint.shaking += 1
        self._name: str | None = None
        self._deadline = worker.loop.call_later(worker.handshake_timeout, self._late)
        listen_for_name(quic, self._named)

    @property
    def over(self) -> bool:
        """Whether the connection is closed, or told to close."""
        return self._over or self._left

    def see_off(self, *, late: bool) -> None:
        """Close gracefully, if no request is in flight and none is to be expected."""
        h3 = self._h3
        leaves = late if h3 is None else h3.idle and (late or h3.served)
        if self.over or not (leaves or late):
            return
        if h3 is not None:
            h3.refuse()
            self.transmit()
        if leaves:
            self._left = True
            self.close(error_code=ErrorCode.H3_NO_ERROR)

    def datagram_received(self, data: bytes | str, addr: Any) -> None:
        """As in aioquic; also wakes responses that wait for acknowledgements."""
        self._peer = self._peer or (addr[0], addr[1])
        super().datagram_received(data, addr)
        if self._h3 is not None:
            self._h3.moved()

    def quic_event_received(self, event: QuicEvent) -> None:
        """Called by aioquic with all events, in order."""
        if isinstance(event, ConnectionIdIssued):
            self._add_name(event.connection_id)
        elif isinstance(event, ConnectionIdRetired):
            self._drop_name(event.connection_id)
        elif isinstance(event, ProtocolNegotiated):
            self._h3 = self._speak()
        elif isinstance(event, HandshakeCompleted):
            self._shaken()
        elif isinstance(event, ConnectionTerminated):
            self._shaken()
            self._over = True
            self._endpoint.clients.discard(self)
            for name in list(self._names):
                self._drop_name(name)
        if self._h3 is not None:
            self._h3.hear(event)
        self._events.append(event)
        if not self._pumping:
            self._pumping = True
            self._tasks.spawn(self._pump)

    def _add_name(self, name: bytes) -> None:
        self._names.add(name)
        self._endpoint.known[name] = self

    def _drop_name(self, name: bytes) -> None:
        self._names.discard(name)
        self._endpoint.known.pop(name, None)

    async def _pump(self) -> None:
        while self._events:
            event = self._events.popleft()
            if self._h3 is None:
                continue
            if isinstance(event, ConnectionTerminated):
                await self._h3.end()
            else:
                await self._h3.handle(event)
        self._pumping = False
        if not self._over:
            self.transmit()

    def _speak(self) -> Http3:
        worker = self._worker
        line = Line(tls=Untold(facts_of(self.quic, self._name)), peer=self._peer or ("", 0), here=worker.udp_address)
        factory = StreamFactory(config=worker.config, context=worker.hypercorn, tasks=self._tasks, line=line)
        return Http3(factory, self.quic, self._transmit, patience=worker.patience)

    def _named(self, name: str | None) -> None:
        self._name = name

    async def _transmit(self) -> None:
        if not self._over:
            self.transmit()

    def _shaken(self) -> None:
        if self._shaking:
            self._shaking = False
            self._endpoint.shaking -= 1
            self._deadline.cancel()

    def _late(self) -> None:
        self.close(reason_phrase="the handshake took too long")

    def _fail(self) -> None:
        self.close(error_code=0x102, reason_phrase="the server failed")

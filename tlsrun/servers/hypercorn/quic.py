"""QUIC for HTTP/3: a worker's UDP socket, aioquic's connections on it, and their deadlines.

QUIC does its TLS itself, by aioquic and not by the context of the other connections: TLS 1.3, one certificate, no
client certificates, and no session tickets, which would let early data be replayed (RFC 8446, section 8).
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import QuicServer
from aioquic.buffer import Buffer  # type: ignore[attr-defined] # from where its documentation has it
from aioquic.h3.connection import H3_ALPN, ErrorCode
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, ProtocolNegotiated, QuicEvent
from aioquic.quic.packet import pull_quic_header
from aioquic.tls import load_pem_private_key, pull_client_hello

from tlsrun.certificates.identity import Identity
from tlsrun.servers.hypercorn.datagrams import Datagrams
from tlsrun.servers.hypercorn.environ import Line
from tlsrun.servers.hypercorn.http3 import Http3
from tlsrun.servers.hypercorn.post import LENGTH, Post, name_in
from tlsrun.servers.hypercorn.tasks import Tasks
from tlsrun.wsgi.facts import Facts, Untold

if TYPE_CHECKING:
    from tlsrun.servers.hypercorn.worker import Worker

#: Handshakes under way above which a client has to prove its address first (RFC 9000, section 8.1.2).
_CROWD = 64

_KEY_SIZES = {"AES_128_GCM_SHA256": "128"}


class Endpoint(QuicServer):
    """A worker's side of one UDP socket.

    Arguments:
        worker: whose it is.
        sock: the socket.
        post: passes on what is another worker's.
        seat: this worker's.

    Attributes:
        clients: the connections that there are.
        shaking: how many of them have not shaken hands.
    """

    def __init__(
        self, worker: Worker, sock: socket.socket, configuration: QuicConfiguration, post: Post, seat: int
    ) -> None:
        super().__init__(configuration=configuration, create_protocol=self._create)
        self._worker = worker
        self._post = post
        self._seat = seat
        self.clients: set[Client] = set()
        self.shaking = 0
        self._datagrams = Datagrams(worker.loop, sock, self._take)
        self.connection_made(cast("asyncio.DatagramTransport", self._datagrams))
        worker.loop.add_reader(post.box(seat), self._open_letters)

    def stop_reading(self) -> None:
        """Another worker has the socket from now on, and passes on what is for this one."""
        self._datagrams.stop_reading()

    def _take(self, data: bytes, address: Any) -> None:
        """A datagram has come."""
        name = name_in(data)
        seat = None if name in self._protocols else self._post.seat_of(name)
        if seat is None or seat == self._seat:
            self._deliver(name, data, address)
        else:
            self._post.send(seat, data, address)

    def _open_letters(self) -> None:
        for data, address in self._post.letters(self._seat):
            self._deliver(name_in(data), data, address)

    def _deliver(self, name: bytes, data: bytes, address: Any) -> None:
        """To its connection; to a new one, if it begins one."""
        if (known := self._protocols.get(name)) is not None:
            known.datagram_received(data, address)
            return
        # In a crowd, clients prove their address; who has been asked to, before it went away, does so too.
        proves = self.shaking > _CROWD or self._has_proof(data)
        self._retry = self._post.proof if proves else None  # type: ignore[assignment] # as aioquic itself
        self.datagram_received(data, address)

    def _has_proof(self, data: bytes) -> bool:
        try:
            header = pull_quic_header(Buffer(data=data), host_cid_length=LENGTH)
        except ValueError:
            return False
        return bool(header.token) and self._post.proof.made(header.token)

    @property
    def busy(self) -> bool:
        """Whether a client has not been seen off."""
        return not all(client.over for client in self.clients)

    def see_off(self, *, late: bool) -> None:
        """Say goodbye to those whose requests are answered.

        Arguments:
            late: no more requests are taken.
        """
        for client in list(self.clients):
            client.see_off(late=late)

    def _create(self, quic: QuicConnection, stream_handler: Any = None) -> Client:
        self._post.call(quic, self._seat)
        return Client(quic, self, self._worker)


class Client(QuicConnectionProtocol):
    """One client's connection."""

    def __init__(self, quic: QuicConnection, endpoint: Endpoint, worker: Worker) -> None:
        super().__init__(quic)
        self._endpoint = endpoint
        self._worker = worker
        self._tasks = Tasks(worker.loop, worker.desk, self._fail)
        self._tasks.consumed = _free
        self._h3: Http3 | None = None
        self._peer: tuple[str, int] | None = None
        self._events: deque[QuicEvent] = deque()
        self._pumping = False
        self._shaking = True
        self._over = self._left = False
        endpoint.clients.add(self)
        endpoint.shaking += 1
        self._name: str | None = None
        self._deadline = worker.loop.call_later(worker.handshake_timeout, self._late)
        _listen_for_name(quic, self._named)

    @property
    def over(self) -> bool:
        """Whether goodbye was said."""
        return self._over or self._left

    def see_off(self, *, late: bool) -> None:
        """Say goodbye, if no request is being answered, and none is to be awaited."""
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
        """As aioquic's."""
        self._peer = self._peer or (addr[0], addr[1])
        super().datagram_received(data, addr)
        if self._h3 is not None:
            self._h3.moved()

    def quic_event_received(self, event: QuicEvent) -> None:
        """Called by aioquic with all that happens, in order."""
        if isinstance(event, ProtocolNegotiated):
            self._h3 = self._speak()
        elif isinstance(event, HandshakeCompleted):
            self._shaken()
        elif isinstance(event, ConnectionTerminated):
            self._shaken()
            self._over = True
            self._endpoint.clients.discard(self)
        self._events.append(event)
        if not self._pumping:
            self._pumping = True
            self._tasks.spawn(self._pump)

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
        line = Line(tls=Untold(_facts(self._quic, self._name)), peer=self._peer or ("", 0), here=worker.udp_address)
        return Http3(
            worker.desk, worker.config, worker.hypercorn, self._tasks, {"line": line}, line.peer, line.here,
            self._quic, self._transmit, patience=worker.patience,
        )  # fmt: skip

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


def _listen_for_name(quic: QuicConnection, named: Callable[[str | None], None]) -> None:
    """Have ``named`` called with the name that the client asks for (SNI), which aioquic reads and does not keep."""
    initialize = quic._initialize

    def with_name(peer_cid: bytes) -> None:
        initialize(peer_cid)
        quic.tls._server_handle_hello = partial(_hear, quic.tls._server_handle_hello, named)  # type: ignore[method-assign]

    quic._initialize = with_name  # type: ignore[method-assign]


def _hear(answer: Callable[..., None], named: Callable[[str | None], None], hello: Any, *more: Any) -> None:
    begin = hello.tell()
    named(pull_client_hello(hello).server_name)
    hello.seek(begin)
    answer(hello, *more)


def _facts(quic: QuicConnection, name: str | None) -> Facts:
    """QUIC is TLS 1.3 (RFC 9001); what the suite is, aioquic's key schedule knows."""
    facts = Facts(HTTPS="on", SSL_PROTOCOL="TLSv1.3", SSL_SESSION_RESUMED="Initial", SSL_CLIENT_VERIFY="NONE")
    if name:
        facts["SSL_TLS_SNI"] = name
    schedule = quic.tls.key_schedule
    if schedule is not None:
        suite = schedule.cipher_suite.name
        size = _KEY_SIZES.get(suite, "256")
        facts |= {"SSL_CIPHER": f"TLS_{suite}", "SSL_CIPHER_USEKEYSIZE": size, "SSL_CIPHER_ALGKEYSIZE": size}
    return facts


def _free(size: int) -> None:
    """A client of HTTP/3 is not made to wait: what it sends goes to a file when nobody reads it."""


def configuration_of(identity: Identity, *, idle_timeout: float) -> QuicConfiguration:
    """aioquic's configuration of a server with this certificate.

    Arguments:
        idle_timeout: seconds after which a silent connection is dropped.
    """
    configuration = QuicConfiguration(
        is_client=False, alpn_protocols=H3_ALPN, idle_timeout=idle_timeout, connection_id_length=LENGTH
    )
    renew(configuration, identity)
    return configuration


def renew(configuration: QuicConfiguration, identity: Identity) -> None:
    """Serve ``identity`` to the connections that begin from now on. In the loop, where they begin."""
    configuration.certificate = identity.certificate
    configuration.certificate_chain = list(identity.chain)
    configuration.private_key = load_pem_private_key(identity.key)

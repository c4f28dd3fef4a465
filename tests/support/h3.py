"""A client of HTTP/3: aioquic's, with its own verification of certificates."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, QuicEvent, StreamReset
from cryptography import x509

from tests.support.clients import Address

_DEADLINE = 60.0  # seconds


class Reset(Exception):
    """The server reset the stream, or left: the code of the error."""


@dataclass
class Answer:
    """A response."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class _H3(H3Connection):
    """Knows that the length of an answer to HEAD is that of another answer (RFC 9110, section 8.6)."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.heads: set[int] = set()

    def _check_content_length(self, stream: Any) -> None:
        if stream.stream_id not in self.heads:
            super()._check_content_length(stream)


class Client(QuicConnectionProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.h3 = _H3(self._quic)
        self._streams: dict[int, asyncio.Queue[Any]] = {}

    @property
    def certificate(self) -> x509.Certificate:
        """What the server has shown."""
        found: x509.Certificate | None = self._quic.tls._peer_certificate
        assert found is not None
        return found

    def quic_event_received(self, event: QuicEvent) -> None:
        """Called by aioquic."""
        if isinstance(event, ConnectionTerminated):
            for stream in self._streams.values():
                stream.put_nowait(Reset(event.error_code))
        elif isinstance(event, StreamReset) and event.stream_id in self._streams:
            self._streams[event.stream_id].put_nowait(Reset(event.error_code))
        for made in self.h3.handle_event(event):
            if isinstance(made, (HeadersReceived, DataReceived)) and made.stream_id in self._streams:
                self._streams[made.stream_id].put_nowait(made)

    def begin(
        self, method: str, path: str, *, host: str, body: bool = False, fields: Iterable[tuple[str, str]] = (),
        **headers: str,
    ) -> int:  # fmt: skip
        """Send a request's head; returns the number of its stream.

        Arguments:
            fields: more headers, of which several may have one name.
        """
        first = {":method": method, ":scheme": "https", ":authority": host, ":path": path, **headers}
        encoded = [(name.replace("_", "-").encode(), value.encode()) for name, value in first.items()]
        encoded += [(name.encode(), value.encode()) for name, value in fields]
        return self.begin_raw(encoded, body=body)

    def begin_raw(self, headers: list[tuple[bytes, bytes]], *, body: bool = False) -> int:
        """The same with these headers, pseudo-headers first, and no others."""
        number = self._quic.get_next_available_stream_id()
        self._streams[number] = asyncio.Queue()
        if (b":method", b"HEAD") in headers:
            self.h3.heads.add(number)
        self.h3.send_headers(number, headers, end_stream=not body)
        self.transmit()
        return number

    def send(self, number: int, data: bytes, *, end: bool = False) -> None:
        """Send a part of the body."""
        self.h3.send_data(number, data, end_stream=end)
        self.transmit()

    async def room(self, number: int) -> None:
        """Until little of what was sent waits to be acknowledged."""
        while len(self._quic._streams[number].sender._buffer) > 1 << 20:
            await asyncio.sleep(0.002)

    async def event(self, number: int) -> HeadersReceived | DataReceived:
        """The next of a stream.

        Raises:
            Reset: the server broke it off.
        """
        event = await asyncio.wait_for(self._streams[number].get(), _DEADLINE)
        if isinstance(event, Reset):
            raise event
        assert isinstance(event, (HeadersReceived, DataReceived))
        return event

    async def answer(self, number: int) -> Answer:
        """The whole response."""
        answer, parts, ended = Answer(), [], False
        while not ended:
            event = await self.event(number)
            if isinstance(event, DataReceived):
                parts.append(event.data)
            else:
                fields = {name.decode(): value.decode() for name, value in event.headers}
                answer.status, answer.headers = int(fields.pop(":status")), fields
            ended = event.stream_ended
        answer.body = b"".join(parts)
        return answer

    async def ask(
        self, path: str, *, method: str = "GET", host: str = "localhost", body: Iterable[bytes] = (),
        fields: Iterable[tuple[str, str]] = (), **headers: str,
    ) -> Answer:  # fmt: skip
        """One request, and its whole response."""
        parts = list(body)
        number = self.begin(method, path, host=host, body=bool(parts), fields=fields, **headers)
        for position, part in enumerate(parts):
            self.send(number, part, end=position == len(parts) - 1)
            await self.room(number)
        return await self.answer(number)

    def give_up(self, number: int) -> None:
        """Send no more of a request's body."""
        self._quic.reset_stream(number, 0x10C)  # H3_REQUEST_CANCELLED
        self.transmit()

    def leave(self, number: int) -> None:
        """Want no more of an answer."""
        self._quic.stop_stream(number, 0x10C)  # H3_REQUEST_CANCELLED
        self.transmit()


@contextlib.asynccontextmanager
async def http_3(address: Address, ca: Path, *, name: str = "localhost") -> AsyncIterator[Client]:
    """A connection whose certificate is verified.

    Raises:
        ConnectionError: there is none within a few seconds, or the certificate is not good.
    """
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=name, idle_timeout=_DEADLINE)
    configuration.load_verify_locations(str(ca))
    async with connect(*address[:2], configuration=configuration, create_protocol=Client) as client:
        yield client  # type: ignore[misc] # aioquic says the base class


class _Up(asyncio.DatagramProtocol):
    """From the server, by way of one port."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def datagram_received(self, data: bytes, address: Any) -> None:
        self._router.down(data)


class Router(asyncio.DatagramProtocol):
    """Stands between one client and the server, and may take another port, as a router does that has forgotten."""

    _transport: asyncio.DatagramTransport
    _up: asyncio.DatagramTransport

    def __init__(self, server: Address) -> None:
        self._server = server
        self._client: Any = None

    @property
    def address(self) -> Address:
        """Where the client connects."""
        host, port = self._transport.get_extra_info("sockname")
        return host, port

    async def move(self) -> None:
        """Be at another port from now on."""
        made, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Up(self), remote_addr=self._server)
        if hasattr(self, "_up"):
            self._up.close()
        self._up = made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # it is one of datagrams

    def datagram_received(self, data: bytes, address: Any) -> None:
        self._client = address
        self._up.sendto(data)

    def down(self, data: bytes) -> None:
        """To the client."""
        self._transport.sendto(data, self._client)

    def close(self) -> None:
        """Stand there no more."""
        self._transport.close()
        self._up.close()


@contextlib.asynccontextmanager
async def router(server: Address) -> AsyncIterator[Router]:
    """One of its own for a client."""
    made = Router(server)
    await asyncio.get_running_loop().create_datagram_endpoint(lambda: made, local_addr=("127.0.0.1", 0))
    await made.move()
    try:
        yield made
    finally:
        made.close()

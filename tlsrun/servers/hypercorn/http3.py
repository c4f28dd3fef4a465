"""HTTP/3 on one QUIC connection, with aioquic's framing: replaces Hypercorn's protocol, as `http2` does.

In addition, a second header block on a stream is trailers, not a request; and what a client has not received of a
response is limited.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from aioquic.h3.connection import ErrorCode
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import QuicEvent, StopSendingReceived, StreamReset
from hypercorn.protocol import events

from tlsrun.http1.refusal import Refused
from tlsrun.servers.hypercorn.framing import Framing, size_of
from tlsrun.servers.hypercorn.heads import judge, response_headers
from tlsrun.servers.hypercorn.streams import Multiplexed, StreamFactory, target_and_headers

_AHEAD = 1 << 18  # bytes of a response that the client may leave unacknowledged before the next part waits


class Http3:
    """One connection.

    Arguments:
        factory: makes the streams that handle its requests.
        quic: the connection.
        transmit: sends what is queued on the connection.
        patience: seconds within which the client must acknowledge some more of a response.
    """

    def __init__(
        self, factory: StreamFactory, quic: QuicConnection, transmit: Callable[[], Awaitable[None]], *, patience: float
    ) -> None:
        self._factory = factory
        self.config = factory.config
        self.send = transmit
        self._requests: dict[int, Multiplexed] = {}
        self._framing = Framing(quic, factory.config.h2_max_header_list_size)
        self._quic = quic
        self._patience = patience
        self._seen: set[int] = set()  # streams whose request has begun, and may still have trailers
        self._unwanted: set[int] = set()  # streams whose response the client does not want any more
        self._moved = asyncio.Event()
        self._next = 0  # the first stream whose request was not accepted, for GOAWAY
        self._refuses = False

    @property
    def idle(self) -> bool:
        """Whether no request is being answered."""
        return not self._requests

    @property
    def served(self) -> bool:
        """Whether a request was received."""
        return self._next > 0

    def refuse(self) -> None:
        """Accept no more requests; GOAWAY tells the client which was the last one (RFC 9114, section 5.2)."""
        if not self._refuses:
            self._refuses = True
            self._framing.say_goodbye(self._next)

    def moved(self) -> None:
        """The client has sent something, possibly acknowledgements."""
        self._moved.set()

    def hear(self, event: QuicEvent) -> None:
        """Note an event as soon as it occurs; `handle` is called with it once earlier events have been handled."""
        if isinstance(event, StopSendingReceived):  # aioquic has reset its side of the stream
            self._unwanted.add(event.stream_id)

    async def end(self) -> None:
        """The connection is closed."""
        for number in list(self._requests):
            await self._forget(number)
        self._moved.set()

    async def handle(self, quic_event: QuicEvent) -> None:
        """Handle an event of the connection."""
        if isinstance(quic_event, (StreamReset, StopSendingReceived)):
            await self._forget(quic_event.stream_id)
            self._seen.discard(quic_event.stream_id)
            self._moved.set()
        for event in self._framing.handle_event(quic_event):
            if isinstance(event, HeadersReceived):
                await self._headers_received(event)
            elif isinstance(event, DataReceived) and (request := self._requests.get(event.stream_id)) is not None:
                await request.stream.handle(events.Body(stream_id=event.stream_id, data=event.data))
            if isinstance(event, (HeadersReceived, DataReceived)) and event.stream_ended:
                await self._request_ended(event.stream_id)
        if isinstance(quic_event, StopSendingReceived):
            self._unwanted.discard(quic_event.stream_id)

    async def stream_send(self, event: Any) -> None:
        """Send an event of a response; waits while too much of it is unacknowledged.

        Raises:
            ValueError: a header is invalid.
            Unfinished: the body is shorter than its Content-Length.
        """
        number = event.stream_id
        request = self._requests.get(number)
        if request is None:
            return
        if isinstance(event, events.StreamClosed):
            await self._finish(number, request)
        elif number in self._unwanted:  # STOP_SENDING has arrived, but was not handled yet
            await self._forget(number)
        elif isinstance(event, events.Response):  # sent together with what follows
            headers = request.opening(event, self.config.response_headers("h3"))
            self._framing.send_headers(number, headers, request.wordless)
            request.whole = request.wordless
        elif isinstance(event, events.Body):
            if not request.whole:
                self._framing.send_data(number, event.data, request.count(event.data))
            await self.send()
            await self._until_taken(number)
        elif isinstance(event, events.EndBody):
            request.check()
            if not request.whole:
                self._framing.send_data(number, b"", True)
                request.whole = True
            await self.send()

    async def _headers_received(self, event: HeadersReceived) -> None:
        if event.stream_id in self._seen:  # trailers
            return
        self._seen.add(event.stream_id)
        if not self._refuses:
            self._next = max(self._next, event.stream_id + 4)
        if event.stream_id in self._unwanted:
            return
        if (code := self._rejection(event)) is not None:
            self._quic.reset_stream(event.stream_id, code)
            await self.send()
            return
        try:
            judge(event.headers)
        except Refused as refused:
            await self._answer(event, refused)
            return
        method, target, fields = target_and_headers(event.headers)
        stream = self._factory.stream(event.stream_id, self.stream_send)
        self._requests[event.stream_id] = request = Multiplexed(stream, method)
        await self._factory.begin(stream, version="3", method=method, target=target, headers=fields, consumed=_free)
        if stream.closed:
            await self._finish(event.stream_id, request)

    def _rejection(self, request: HeadersReceived) -> ErrorCode | None:
        if self._refuses:
            return ErrorCode.H3_REQUEST_REJECTED
        return ErrorCode.H3_EXCESSIVE_LOAD if size_of(request.headers) > self.config.h2_max_header_list_size else None

    async def _answer(self, request: HeadersReceived, refused: Refused) -> None:
        """Send an error response without running the application."""
        body = b"" if (b":method", b"HEAD") in request.headers else refused.body
        headers = [*response_headers(refused), *self.config.response_headers("h3")]
        self._framing.send_headers(request.stream_id, headers)
        self._framing.send_data(request.stream_id, body, True)
        if not request.stream_ended:
            self._quic.stop_stream(request.stream_id, ErrorCode.H3_NO_ERROR)
        await self.send()

    async def _request_ended(self, number: int) -> None:
        request = self._requests.get(number)
        if request is None:
            self._seen.discard(number)
            return
        request.ended = True
        await request.stream.handle(events.EndBody(stream_id=number))

    async def _finish(self, number: int, request: Multiplexed) -> None:
        """The response is over: reset the sides of the stream that are incomplete."""
        await self._forget(number)
        if not request.whole and number not in self._unwanted:
            self._quic.reset_stream(number, ErrorCode.H3_INTERNAL_ERROR)
        if not request.ended:
            with contextlib.suppress(ValueError):  # the stream has ended on both sides
                self._quic.stop_stream(number, ErrorCode.H3_NO_ERROR)
        await self.send()

    async def _forget(self, number: int) -> None:
        request = self._requests.pop(number, None)
        if request is None:
            return
        if request.ended:  # otherwise trailers may still arrive
            self._seen.discard(number)
        await request.stream.handle(events.StreamClosed(stream_id=number))

    async def _until_taken(self, number: int) -> None:
        while (request := self._requests.get(number)) is not None and (waiting := self._waiting(number)) > _AHEAD:
            self._moved.clear()
            try:
                await asyncio.wait_for(self._moved.wait(), self._patience)
            except asyncio.TimeoutError:
                if self._waiting(number) >= waiting:
                    await self._finish(number, request)

    def _waiting(self, number: int) -> int:
        """Return the number of unacknowledged bytes, for which aioquic (1.7) has no public API."""
        stream = self._quic._streams.get(number)
        return 0 if stream is None else len(stream.sender._buffer)


def _free(size: int) -> None:
    """No flow control by the application over HTTP/3: what it does not read is buffered, in the end in a file."""

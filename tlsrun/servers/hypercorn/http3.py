"""Hypercorn's HTTP/3 on one QUIC connection, with what it leaves undone: see `tlsrun.servers.hypercorn.http2`.

A second block of headers is trailers, not a request; an answer does not run ahead of its client without bounds.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from aioquic.h3.connection import ErrorCode
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import QuicEvent, StopSendingReceived, StreamReset
from hypercorn.protocol.events import Body, EndBody, StreamClosed
from hypercorn.protocol.h3 import H3Protocol

from tlsrun.http1.refusal import Refused
from tlsrun.servers.hypercorn.framing import Framing, size_of
from tlsrun.servers.hypercorn.heads import judge, response_headers

_AHEAD = 1 << 18  # bytes of an answer that may wait for the client


class Http3(H3Protocol):
    """HTTP/3.

    Arguments:
        quic: the connection.
        patience: seconds in which the client has to take some more of an answer.
        app, config, context, task_group, state, client, server, send: Hypercorn's.
    """

    def __init__(
        self, app: Any, config: Any, context: Any, task_group: Any, state: Any, client: Any, server: Any,
        quic: QuicConnection, send: Any, *, patience: float,
    ) -> None:  # fmt: skip
        # As Hypercorn's, which is not called: it would open streams for frames without bounds.
        self.app, self.config, self.context, self.task_group = app, config, context, task_group
        self.state, self.client, self.server, self.send = state, client, server, send
        self.streams = {}
        self.connection = self._framing = Framing(quic, config.h2_max_header_list_size)
        self._quic = quic
        self._patience = patience
        self._seen: set[int] = set()  # streams whose request has begun and may still have trailers
        self._ended: set[int] = set()  # those whose request has come whole
        self._whole: set[int] = set()  # those whose answer is sent whole
        self._moved = asyncio.Event()
        self._next = 0  # the first stream whose request was not taken
        self._refuses = False

    @property
    def idle(self) -> bool:
        """Whether no request is being answered."""
        return not self.streams

    @property
    def served(self) -> bool:
        """Whether a request has come."""
        return self._next > 0

    def refuse(self) -> None:
        """Take no more requests: the client is told which was the last one (RFC 9114, section 5.2)."""
        if not self._refuses:
            self._refuses = True
            self._framing.say_goodbye(self._next)

    def moved(self) -> None:
        """The client has sent something, perhaps that it took what was sent."""
        self._moved.set()

    async def end(self) -> None:
        """The connection is gone."""
        for stream_id in list(self.streams):
            await self._forget(stream_id)
        self._moved.set()

    async def handle(self, quic_event: QuicEvent) -> None:
        """Take what happened on the connection."""
        if isinstance(quic_event, (StreamReset, StopSendingReceived)):
            await self._forget(quic_event.stream_id)
            self._seen.discard(quic_event.stream_id)
        for event in self.connection.handle_event(quic_event):
            if isinstance(event, HeadersReceived):
                await self._headers_received(event)
            elif isinstance(event, DataReceived) and (stream := self.streams.get(event.stream_id)) is not None:
                await stream.handle(Body(stream_id=event.stream_id, data=event.data))
            if isinstance(event, (HeadersReceived, DataReceived)) and event.stream_ended:
                await self._request_ended(event.stream_id)

    async def stream_send(self, event: Any) -> None:
        """As Hypercorn's; waits while the client does not take what was sent."""
        stream_id = event.stream_id
        if isinstance(event, StreamClosed):
            await self._stream_closed(stream_id)
            return
        if stream_id not in self.streams:
            return
        if self._is_reset(stream_id):  # the event of that has not been handled yet
            await self._forget(stream_id)
            return
        await super().stream_send(event)
        if isinstance(event, EndBody):
            self._whole.add(stream_id)
        elif isinstance(event, Body):
            await self._until_taken(stream_id)

    async def _headers_received(self, event: HeadersReceived) -> None:
        if event.stream_id in self._seen:  # trailers
            return
        self._seen.add(event.stream_id)
        if not self._refuses:
            self._next = max(self._next, event.stream_id + 4)
        if (code := self._rejection(event)) is not None:
            self._quic.reset_stream(event.stream_id, code)
            await self.send()
            return
        try:
            judge(event.headers)
        except Refused as refused:
            await self._answer(event, refused)
            return
        await self._create_stream(event)

    def _rejection(self, request: HeadersReceived) -> ErrorCode | None:
        if self._refuses:
            return ErrorCode.H3_REQUEST_REJECTED
        return ErrorCode.H3_EXCESSIVE_LOAD if size_of(request.headers) > self.config.h2_max_header_list_size else None

    async def _answer(self, request: HeadersReceived, refused: Refused) -> None:
        """Answer in words, without the application."""
        body = b"" if (b":method", b"HEAD") in request.headers else refused.body
        headers = [*response_headers(refused), *self.config.response_headers("h3")]
        self.connection.send_headers(request.stream_id, headers)
        self.connection.send_data(request.stream_id, body, True)
        if not request.stream_ended:
            self._quic.stop_stream(request.stream_id, ErrorCode.H3_NO_ERROR)
        await self.send()

    async def _request_ended(self, stream_id: int) -> None:
        if stream_id in self.streams:
            self._ended.add(stream_id)
            await self.streams[stream_id].handle(EndBody(stream_id=stream_id))
        else:
            self._seen.discard(stream_id)

    async def _stream_closed(self, stream_id: int) -> None:
        if stream_id not in self.streams:
            return
        whole, ended = stream_id in self._whole, stream_id in self._ended
        await self._forget(stream_id)
        if not whole and not self._is_reset(stream_id):
            self._quic.reset_stream(stream_id, ErrorCode.H3_INTERNAL_ERROR)
        if not ended:
            with contextlib.suppress(ValueError):  # it is over on both sides
                self._quic.stop_stream(stream_id, ErrorCode.H3_NO_ERROR)
        await self.send()

    async def _forget(self, stream_id: int) -> None:
        stream = self.streams.pop(stream_id, None)
        self._whole.discard(stream_id)
        if stream_id in self._ended:  # else its trailers may still come
            self._ended.discard(stream_id)
            self._seen.discard(stream_id)
        if stream is not None:
            await stream.handle(StreamClosed(stream_id=stream_id))

    async def _until_taken(self, stream_id: int) -> None:
        while stream_id in self.streams and (waiting := self._waiting(stream_id)) > _AHEAD:
            self._moved.clear()
            try:
                await asyncio.wait_for(self._moved.wait(), self._patience)
            except asyncio.TimeoutError:
                if self._waiting(stream_id) >= waiting:
                    await self._stream_closed(stream_id)

    def _is_reset(self, stream_id: int) -> bool:
        """Whether nothing can be sent any more; aioquic has no public way to ask."""
        stream = self._quic._streams.get(stream_id)
        return stream is not None and stream.sender._reset_error_code is not None

    def _waiting(self, stream_id: int) -> int:
        """Bytes that the client has not acknowledged. aioquic keeps them, and has no public way to ask."""
        stream = self._quic._streams.get(stream_id)
        return 0 if stream is None else len(stream.sender._buffer)

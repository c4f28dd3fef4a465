"""HTTP/2 on one connection, with h2's framing.

Replaces Hypercorn's protocol (0.18), which mishandles responses that end early, late or incomplete:

- Requests are validated by the rules of `tlsrun.http1`, with the same messages; the method is passed on unchanged.
- A stopping worker still answers requests that were on their way, then sends GOAWAY; Hypercorn rejects them or closes
  the connection.
- An incomplete response is visible as such: the stream is reset.
- A response that ends before its request resets the stream with NO_ERROR (RFC 9113, section 8.1), and the rest of the
  request is discarded; Hypercorn loses the whole connection.
- Each stream has its own flow control: an upload that is not read does not block other streams, and a response that is
  not received waits; Hypercorn buffers it in memory without a limit.
- A client that opens streams only to reset them is disconnected (CVE-2023-44487), and so is one that floods the worker
  with PING, SETTINGS or empty DATA frames (CVE-2019-9512, -9515, -9518).
- ``Expect: 100-continue`` is supported (Hypercorn: over HTTP/1.1 only): the application runs once it has a body.
- PRIORITY is ignored, as RFC 9113, section 5.3.2, permits; Hypercorn keeps a tree of them, which a client can overfill.
  Streams with data to send take turns, one frame each.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import h2.errors
import h2.events
import h2.exceptions
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes, Settings
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol import events
from hyperframe.frame import GoAwayFrame

from tlsrun.http1.refusal import Refused
from tlsrun.servers.hypercorn.events import Broken
from tlsrun.servers.hypercorn.flood import TokenBucket, asks_for_nothing
from tlsrun.servers.hypercorn.heads import awaits_leave, judge, response_headers
from tlsrun.servers.hypercorn.streams import Multiplexed, StreamFactory, target_and_headers

_TOGETHER = 32768  # bytes of framed responses above which they are sent, instead of waiting to be joined to more
#: Streams that a client may reset in addition to the number of responses that it has received.
_RESETS = 100
#: Frames that carry no request and no body: allowed burst, and allowed rate.
_IDLE_FRAMES, _IDLE_FRAMES_PER_SECOND = 1000, 100


class Http2:
    """One connection.

    Arguments:
        factory: makes the streams that handle its requests.
        send: called with events: bytes for the client, and changes of state.
    """

    def __init__(self, factory: StreamFactory, send: Callable[[Event], Awaitable[None]]) -> None:
        self._factory = factory
        self.send = send
        config = factory.config
        self._h2 = H2Connection(config=H2Configuration(client_side=False, header_encoding=None))
        self._h2.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: config.h2_max_concurrent_streams,
                SettingCodes.MAX_HEADER_LIST_SIZE: config.h2_max_header_list_size,
                SettingCodes.MAX_FRAME_SIZE: config.h2_max_inbound_frame_size,
            },
        )
        self._h2.max_inbound_frame_size = config.h2_max_inbound_frame_size
        self._requests: dict[int, Multiplexed] = {}
        self._resets = self._answered = 0
        self._idle_frames = TokenBucket(_IDLE_FRAMES, _IDLE_FRAMES_PER_SECOND)
        self._moved = asyncio.Event()  # set when a flow control window may have opened, or a stream has ended
        self._unsent = 0  # bytes of responses that h2 has framed, but that were not sent yet
        self._refuses = self._closed = self._soon = False

    async def initiate(self) -> None:
        """Send our SETTINGS."""
        self._h2.initiate_connection()
        await self._send_frames()

    async def handle(self, event: Event) -> None:
        """Handle bytes from the client, or the loss of the connection."""
        if isinstance(event, RawData):
            try:
                found = self._h2.receive_data(event.data)
            except h2.exceptions.ProtocolError:
                await self._send_frames()
                await self.send(Closed())
            else:
                await self._take(found)
        elif isinstance(event, Closed):
            self._closed = True
            for number in list(self._requests):
                await self._forget(number)
            self._moved.set()

    def refuse(self) -> None:
        """Accept no more requests; GOAWAY tells the client which was the last one (RFC 9113, section 6.8)."""
        if not self._refuses and not self._closed:
            self._refuses = True
            # Not with h2's close_connection(), after which it would send no responses either.
            goodbye = GoAwayFrame(stream_id=0, last_stream_id=self._h2.highest_inbound_stream_id)
            self._factory.tasks.spawn(self.send, RawData(data=goodbye.serialize()))

    def goodbye(self) -> bytes:
        """Return the bytes to send before the connection is closed: GOAWAY."""
        if self._closed:
            return b""
        self._h2.close_connection()
        return self._h2.data_to_send()

    async def stream_send(self, event: Any) -> None:
        """Send an event of a response; a stream whose request or response is incomplete at the end is reset.

        Raises:
            ValueError: a header is invalid.
            Unfinished: the body is shorter than its Content-Length.
        """
        number = event.stream_id
        request = self._requests.get(number)
        if request is None:
            return
        try:
            if isinstance(event, events.Response):  # sent together with what follows
                headers = request.opening(event, self._factory.config.response_headers("h2"))
                self._h2.send_headers(number, headers, end_stream=request.wordless)
                request.whole = request.wordless
            elif isinstance(event, events.Body):
                await self._send_body(number, request, event.data)
            elif isinstance(event, events.EndBody):
                request.check()
                if not request.whole:
                    self._h2.end_stream(number)
                    request.whole = True
                await self._send_frames()
            elif isinstance(event, events.StreamClosed):
                await self._finish(number, request)
        except h2.exceptions.ProtocolError:
            return  # the stream or the connection has ended

    async def _send_body(self, number: int, request: Multiplexed, data: bytes) -> None:
        at = 0
        while at < len(data) and not request.whole:
            room = min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size)
            if room > 0:
                part = data[at : at + room]
                at += len(part)
                self._h2.send_data(number, part, end_stream=request.count(part))
                self._unsent += len(part)
            if room <= 0:
                self._moved.clear()
                await self._send_frames()
                await self._moved.wait()
            elif len(self._requests) > 1 and at < len(data):
                await self._send_frames()
                await asyncio.sleep(0)  # let other streams send
            if self._closed or number not in self._requests:
                return
        if request.whole or self._unsent >= _TOGETHER:
            await self._send_frames()
        elif not self._soon:
            self._soon = True
            self._factory.tasks.spawn(self._send_soon)

    async def _send_soon(self) -> None:
        self._soon = False
        await self._send_frames()

    async def _finish(self, number: int, request: Multiplexed) -> None:
        """The response is over: reset the stream if one side is incomplete."""
        await self._forget(number)
        self._answered += 1
        if not request.whole:
            self._reset(number, h2.errors.ErrorCodes.INTERNAL_ERROR)
        elif not request.ended:
            self._reset(number, h2.errors.ErrorCodes.NO_ERROR)
        idle = not self._requests
        if idle and self._factory.terminated:
            self._h2.close_connection()
        await self._send_frames()
        await self.send(Updated(idle=idle))

    def _reset(self, number: int, code: h2.errors.ErrorCodes) -> None:
        try:
            self._h2.reset_stream(number, code)
        except h2.exceptions.ProtocolError:
            return  # the stream or the connection has ended already

    async def _forget(self, number: int) -> None:
        request = self._requests.pop(number, None)
        if request is not None:
            await request.stream.handle(events.StreamClosed(stream_id=number))

    async def _send_frames(self) -> None:
        """Send the frames that h2 has queued."""
        data, self._unsent = self._h2.data_to_send(), 0
        if data:
            await self.send(RawData(data=data))

    async def _take(self, found: list[h2.events.Event]) -> None:
        for event in found:
            if asks_for_nothing(event) and not self._idle_frames.spend(time.monotonic()):
                await self._send_away()
                return
            if isinstance(event, h2.events.DataReceived):
                await self._data_received(event)
            elif isinstance(event, h2.events.RequestReceived):
                await self._request_received(event)
            elif isinstance(event, h2.events.StreamEnded):
                await self._request_ended(event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                self._resets += 1
                if self._resets > _RESETS + self._answered:
                    await self._send_away()
                    return
                await self._forget(event.stream_id)
                self._moved.set()
            elif isinstance(event, (h2.events.WindowUpdated, h2.events.RemoteSettingsChanged)):
                self._moved.set()
            elif isinstance(event, h2.events.ConnectionTerminated):
                await self.send(Closed())
        await self._send_frames()

    async def _request_received(self, event: h2.events.RequestReceived) -> None:
        """Handle a request, unless GOAWAY was sent before it.

        Hypercorn (0.18) resets requests that arrive after its worker was told to stop with NO_ERROR: clients treat that
        as a failure and do not retry.
        """
        number, headers = event.stream_id, event.headers or []
        if self._refuses:  # the client may retry elsewhere (RFC 9113, section 8.7)
            self._h2.reset_stream(number, h2.errors.ErrorCodes.REFUSED_STREAM)
            return
        try:
            judge(headers)
        except Refused as refused:
            self._answer(event, refused)
            return
        method, target, fields = target_and_headers(headers)
        stream = self._factory.stream(number, self.stream_send)
        self._requests[number] = request = Multiplexed(stream, method)
        await self.send(Updated(idle=False))
        await self._factory.begin(
            stream, version="2", method=method, target=target, headers=fields, consumed=partial(self._consumed, number)
        )
        if stream.closed:
            await self._finish(number, request)
        elif event.stream_ended is None and awaits_leave(headers):
            self._h2.send_headers(number, [(b":status", b"100")])

    async def _request_ended(self, number: int) -> None:
        request = self._requests.get(number)
        if request is not None:
            request.ended = True
            await request.stream.handle(events.EndBody(stream_id=number))

    async def _send_away(self) -> None:
        self._h2.close_connection(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)
        await self._send_frames()
        await self.send(Broken())

    def _answer(self, request: h2.events.RequestReceived, refused: Refused) -> None:
        """Send an error response without running the application; other requests of the connection go on."""
        number, body = request.stream_id, refused.body
        headers = [*response_headers(refused), *self._factory.config.response_headers("h2")]
        wordless = (b":method", b"HEAD") in (request.headers or []) or (
            self._h2.local_flow_control_window(number) < len(body)
        )
        self._h2.send_headers(number, headers, end_stream=wordless)
        if not wordless:
            self._h2.send_data(number, body, end_stream=True)
        if request.stream_ended is None:
            self._h2.reset_stream(number, h2.errors.ErrorCodes.NO_ERROR)

    async def _data_received(self, event: h2.events.DataReceived) -> None:
        request = self._requests.get(event.stream_id)
        length = event.flow_controlled_length or 0
        # The connection's window is extended at once, a stream's once the application has read.
        self._open(length, None)
        if request is None:
            return
        self._open(length - len(event.data or b""), event.stream_id)  # padding never reaches the application
        await request.stream.handle(events.Body(stream_id=event.stream_id, data=event.data or b""))

    def _consumed(self, stream_id: int, size: int) -> None:
        self._open(size, stream_id)
        if not self._closed:
            self._factory.tasks.spawn(self._send_frames)

    def _open(self, size: int, stream_id: int | None) -> None:
        if size <= 0:
            return
        try:
            self._h2.increment_flow_control_window(size, stream_id)
        except h2.exceptions.ProtocolError:
            return  # the stream has ended

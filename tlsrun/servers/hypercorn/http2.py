"""Hypercorn's HTTP/2, with what it leaves undone when an answer ends early, late, or in the middle.

- What is refused of requests is what `tlsrun.http1` refuses, in the same words.
- A worker that stops answers what its clients have on the way, where Hypercorn refuses it or hangs up; with the answer
  they hear that they have to come anew.
- An answer that breaks off is made to look so: the stream is reset.
- An answer that is over before its request resets the stream without an error (RFC 9113, section 8.1); what still
  comes of the request is thrown away, where Hypercorn loses the whole connection.
- Each stream has its own room: an upload that nobody reads holds up no other stream, and an answer that nobody takes
  waits, where Hypercorn's grows in memory.
- A client that opens streams only to reset them is sent away (CVE-2023-44487), and so is one that keeps the worker busy
  with frames that ask for nothing: PING, SETTINGS, empty DATA (CVE-2019-9512, -9515, -9518).
- ``Expect: 100-continue`` is answered, as Hypercorn does over HTTP/1.1 alone: without the body nobody is asked.
- PRIORITY is ignored, as RFC 9113, section 5.3.2, permits: Hypercorn keeps a tree of them, which a client may overfill.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any

import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Body, StreamClosed
from hypercorn.protocol.h2 import H2Protocol
from hyperframe.frame import GoAwayFrame

from tlsrun.http1.refusal import Refused
from tlsrun.servers.hypercorn.allowance import Allowance
from tlsrun.servers.hypercorn.events import Broken
from tlsrun.servers.hypercorn.heads import judge, response_headers
from tlsrun.servers.hypercorn.tasks import Tasks

_AHEAD = 65536  # bytes of an answer that may wait for the client
#: Streams that a client may reset, beyond as many as it lets be answered.
_RESETS = 100
#: Frames that ask for nothing: so many at once, and so many more each second.
_IDLE_FRAMES, _IDLE_FRAMES_PER_SECOND = 1000, 100


_IDLE = (
    h2.events.PingReceived,
    h2.events.PingAckReceived,
    h2.events.PriorityUpdated,
    h2.events.RemoteSettingsChanged,
    h2.events.SettingsAcknowledged,
    h2.events.UnknownFrameReceived,
)


class Http2(H2Protocol):
    """HTTP/2.

    Arguments:
        arguments: Hypercorn's; the fourth are its tasks.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._tasks: Tasks = arguments[3]
        self._ended: set[int] = set()  # streams whose request has come whole
        self._resets = self._answered = 0
        self._patience = Allowance(_IDLE_FRAMES, _IDLE_FRAMES_PER_SECOND)
        self._taken = asyncio.Event()
        self._refuses = False
        # No WebSocket, so no extended CONNECT to offer (RFC 8441).
        del self.connection.local_settings[h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL]

    async def handle(self, event: Event) -> None:
        """As Hypercorn's; what waits to be sent when the connection is gone waits no longer."""
        await super().handle(event)
        if isinstance(event, Closed):
            for buffer in list(self.stream_buffers.values()):
                await buffer.close()
            self._taken.set()

    def refuse(self) -> None:
        """Take no more requests: the client is told which was the last one (RFC 9113, section 6.8)."""
        if not self._refuses and not self.closed:
            self._refuses = True
            # Not by h2, whose connection is closed then for the answers too.
            goodbye = GoAwayFrame(stream_id=0, last_stream_id=self.connection.highest_inbound_stream_id)
            self.task_group.spawn(self.send, RawData(data=goodbye.serialize()))

    async def stream_send(self, event: Any) -> None:
        """As Hypercorn's; and a stream that is over while one of its sides is not is reset."""
        stream_id = event.stream_id
        buffer = self.stream_buffers.get(stream_id)
        whole = buffer is None or buffer._complete
        await super().stream_send(event)
        if isinstance(event, Body):
            await self._until_taken(stream_id)
        if not isinstance(event, StreamClosed):
            return
        if not whole:
            await self._reset(stream_id, h2.errors.ErrorCodes.INTERNAL_ERROR)
        elif stream_id not in self._ended:
            await self._reset(stream_id, h2.errors.ErrorCodes.NO_ERROR)
        self._ended.discard(stream_id)
        self._answered += 1

    async def _until_taken(self, stream_id: int) -> None:
        while (buffer := self.stream_buffers.get(stream_id)) is not None and len(buffer.buffer) >= _AHEAD:
            self._taken.clear()
            await self._taken.wait()

    async def _send_data(self, stream_id: int) -> None:
        await super()._send_data(stream_id)
        self._taken.set()

    async def _reset(self, stream_id: int, code: h2.errors.ErrorCodes) -> None:
        buffer = self.stream_buffers.get(stream_id)
        if buffer is not None and not buffer.complete and code == h2.errors.ErrorCodes.NO_ERROR:
            await buffer.drain()
        try:
            self.connection.reset_stream(stream_id, code)
        except h2.exceptions.ProtocolError:
            return  # it, or the connection, is over already
        await self._flush()
        await self.has_data.set()

    async def _create_stream(self, request: h2.events.RequestReceived) -> None:
        self._tasks.consumed = partial(self._consumed, request.stream_id)
        await super()._create_stream(request)

    async def _handle_events(self, events: list[h2.events.Event]) -> None:
        for event in events:
            if _asks_for_nothing(event) and not self._patience.spend(time.monotonic()):
                await self._send_away()
                return
            if isinstance(event, h2.events.PriorityUpdated):
                continue
            if isinstance(event, h2.events.DataReceived):
                await self._data_received(event)
                continue
            if isinstance(event, h2.events.RequestReceived):
                await self._request_received(event)
                continue
            if isinstance(event, h2.events.StreamEnded):
                self._ended.add(event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                self._ended.discard(event.stream_id)
                self._resets += 1
                if self._resets > _RESETS + self._answered:
                    await self._send_away()
                    return
            await super()._handle_events([event])
        await self._flush()

    async def _request_received(self, event: h2.events.RequestReceived) -> None:
        """Take it as long as it was not said that none is taken.

        Hypercorn (0.18) resets, with NO_ERROR, what comes after its worker was told to stop: a client takes that for a
        failure, and asks nobody else.
        """
        if self._refuses:  # the client may ask another server (RFC 9113, section 8.7)
            self.connection.reset_stream(event.stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
            return
        try:
            judge(event.headers or [])
        except Refused as refused:
            self._answer(event, refused)
            return
        await self._create_stream(event)
        if event.stream_ended is None and _awaits_leave(event.headers):
            self.connection.send_headers(event.stream_id, [(b":status", b"100")])
        await self.send(Updated(idle=False))

    async def _send_away(self) -> None:
        self.connection.close_connection(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)
        await self._flush()
        await self.send(Broken())

    def _answer(self, request: h2.events.RequestReceived, refused: Refused) -> None:
        """Answer in words, without the application; other requests of the connection go on."""
        number, body = request.stream_id, refused.body
        headers = [*response_headers(refused), *self.config.response_headers("h2")]
        wordless = (b":method", b"HEAD") in (request.headers or []) or (
            self.connection.local_flow_control_window(number) < len(body)
        )
        self.connection.send_headers(number, headers, end_stream=wordless)
        if not wordless:
            self.connection.send_data(number, body, end_stream=True)
        if request.stream_ended is None:
            self.connection.reset_stream(number, h2.errors.ErrorCodes.NO_ERROR)

    async def _data_received(self, event: h2.events.DataReceived) -> None:
        stream = self.streams.get(event.stream_id)
        length = event.flow_controlled_length or 0
        # The connection's window is opened at once, a stream's when the application has read.
        self._open(length, None)
        if stream is None:
            return
        self._open(length - len(event.data or b""), event.stream_id)  # padding is not read by anybody
        await stream.handle(Body(stream_id=event.stream_id, data=event.data or b""))

    def _consumed(self, stream_id: int, size: int) -> None:
        self._open(size, stream_id)
        if not self.closed:
            self.task_group.spawn(self._flush)

    def _open(self, size: int, stream_id: int | None) -> None:
        if size <= 0:
            return
        try:
            self.connection.increment_flow_control_window(size, stream_id)
        except h2.exceptions.ProtocolError:
            return  # it is over


def _asks_for_nothing(event: h2.events.Event) -> bool:
    if isinstance(event, h2.events.DataReceived):
        return not event.data and event.stream_ended is None
    return isinstance(event, _IDLE)


def _awaits_leave(headers: Any) -> bool:
    """Whether the client waits, with the body of its request, for a word of ours (RFC 9110, section 10.1.1)."""
    return any(name == b"expect" and value.lower() == b"100-continue" for name, value in headers)

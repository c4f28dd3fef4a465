"""Hypercorn's HTTP/1.1 and HTTP/2, with what they leave undone when an answer ends early, late, or in the middle.

- A worker that stops answers what its clients have on the way, where Hypercorn refuses it or hangs up; with the answer
  they hear that they have to come anew.
- An answer that breaks off is made to look so: the connection is cut, or the stream reset.
- An answer that is over before its request resets the stream without an error (RFC 9113, section 8.1); what still
  comes of the request is thrown away, where Hypercorn loses the whole connection.
- HTTP/2 lets each stream have its own room: an upload that nobody reads holds up no other stream, and an answer that
  nobody takes waits, where Hypercorn's grows in memory.
- A client that opens streams only to reset them is sent away (CVE-2023-44487), and so is one that keeps the worker busy
  with frames that ask for nothing: PING, SETTINGS, empty DATA (CVE-2019-9512, -9515, -9518).
- ``Expect: 100-continue`` is answered, as Hypercorn does over HTTP/1.1 alone: without the body nobody is asked.
- PRIORITY is ignored, as RFC 9113, section 5.3.2, permits: Hypercorn keeps a tree of them, which a client may overfill.
- No upgrade to h2c or WebSocket: ALPN has said what is spoken.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from functools import partial
from http.client import responses
from typing import Any

import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import h11
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Body, Request, Response, StreamClosed
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hyperframe.frame import GoAwayFrame

from tlsrun.servers.hypercorn.allowance import Allowance
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


@dataclass(frozen=True)
class Broken(Event):
    """The connection cannot go on, and its client shall see that something is missing."""


class Http1(H11Protocol):
    """HTTP/1.1 and HTTP/1.0.

    Arguments:
        arguments: Hypercorn's.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)

    @property
    def idle(self) -> bool:
        """Whether no request is being answered."""
        return self.stream is None

    async def _check_protocol(self, event: h11.Request) -> None:
        """Hypercorn looks for an upgrade here."""

    async def _create_stream(self, request: h11.Request) -> None:
        if request.http_version not in (b"1.0", b"1.1"):  # HTTP/2 that ALPN has not agreed on
            await self._send_error_response(505)
            await self.send(Closed())
            return
        self.stream = HTTPStream(
            self.app, self.config, self.context, self.task_group, self.ssl, self.client, self.server,
            self.stream_send, STREAM_ID,
        )  # fmt: skip
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=list(request.headers),
                http_version=request.http_version.decode(),
                method=request.method.decode("ascii").upper(),
                raw_path=request.target,
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1
        await self.context.mark_request()

    async def stream_send(self, event: Any) -> None:
        """As Hypercorn's; an answer that begins when the worker stops is said to be the last one."""
        if isinstance(event, Response) and event.status_code >= 200 and self.context.terminated.is_set():
            event = replace(event, headers=[*event.headers, (b"connection", b"close")])
        await super().stream_send(event)

    async def _send_h11_event(self, event: Any) -> None:
        if isinstance(event, (h11.Response, h11.InformationalResponse)):
            object.__setattr__(event, "reason", responses.get(event.status_code, "").encode())
        await super()._send_h11_event(event)

    async def _maybe_recycle(self) -> None:
        if self.connection.our_state in (h11.SEND_RESPONSE, h11.SEND_BODY, h11.ERROR):
            await self._close_stream()
            await self.send(Broken())
            await self.can_read.set()
        elif (self.connection.our_state, self.connection.their_state) == (h11.DONE, h11.DONE):
            # Also when the worker stops: the client was not told, and its next request may be on the way.
            await self._close_stream()
            self.connection.start_next_cycle()
            await self.can_read.set()
            await self.send(Updated(idle=True))
        else:
            await super()._maybe_recycle()


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
        if (code := self._refusal(event)) is not None:
            self.connection.reset_stream(event.stream_id, code)
            return
        await self._create_stream(event)
        if event.stream_ended is None and _awaits_leave(event.headers):
            self.connection.send_headers(event.stream_id, [(b":status", b"100")])
        await self.send(Updated(idle=False))

    async def _send_away(self) -> None:
        self.connection.close_connection(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)
        await self._flush()
        await self.send(Broken())

    def _refusal(self, request: h2.events.RequestReceived) -> h2.errors.ErrorCodes | None:
        if self._refuses:  # the client may ask another server (RFC 9113, section 8.7)
            return h2.errors.ErrorCodes.REFUSED_STREAM
        return None if is_sound(request.headers) else h2.errors.ErrorCodes.PROTOCOL_ERROR

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


def is_sound(headers: Any) -> bool:
    """Whether method and path are what WSGI can be told (h2 has seen to the rest)."""
    found = dict(headers)
    method, path = found.get(b":method", b""), found.get(b":path", b"")
    return bool(method.isascii() and method != b"CONNECT" and path.isascii() and path)

"""HTTP/1.1 and HTTP/1.0 on one connection; `tlsrun.http1` parses requests and frames responses.

Replaces Hypercorn's protocol (0.18), which accepts more than RFC 9112 permits (bare LF, folded lines), as h11 does:

- A stopping worker still answers requests that were on their way, with ``Connection: close``; Hypercorn rejects them or
  closes the connection.
- An incomplete response is visible as such: the connection is closed without close_notify.
- There is no upgrade to h2c or WebSocket: ALPN has negotiated the protocol.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http.client import responses

from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol import events
from hypercorn.protocol.http_stream import HTTPStream

from tlsrun.http1.framing import HOP_BY_HOP, AnswerFraming, content_length
from tlsrun.http1.head import Head
from tlsrun.http1.refusal import Refused
from tlsrun.http1.requests import Requests
from tlsrun.servers.hypercorn.events import Broken
from tlsrun.servers.hypercorn.heads import Headers
from tlsrun.servers.hypercorn.streams import StreamFactory, check_name

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_OF_A_CONNECTION = frozenset(name.encode("ascii") for name in HOP_BY_HOP)


class Http1:
    """One connection.

    Arguments:
        factory: makes the streams that handle its requests.
        send: called with events: bytes for the client, and changes of state.
    """

    def __init__(self, factory: StreamFactory, send: Callable[[Event], Awaitable[None]]) -> None:
        self._factory = factory
        self.send = send
        self._requests = Requests()
        self._head: Head | None = None  # of the current request
        self._stream: HTTPStream | None = None
        self._answer: AnswerFraming | None = None
        self._opening = b""  # the response's head, sent with the first part of its body
        self._whole = False  # whether the response is complete
        self._served = 0
        self._turn = asyncio.Event()  # set when the next request may be handled
        self._over = False  # the connection is finished

    @property
    def idle(self) -> bool:
        """Whether no request is being answered."""
        return self._head is None

    async def initiate(self) -> None:
        """Nothing to send: in HTTP/1.1 the client speaks first."""

    async def handle(self, event: Event) -> None:
        """Handle bytes from the client (b"" for the end of its input), or the loss of the connection."""
        if isinstance(event, RawData):
            self._requests.put(event.data)
            try:
                await self._read()
            except Refused as refused:
                await self._refuse(refused)
        elif isinstance(event, Closed):
            await self._close_request()

    async def _read(self) -> None:
        requests = self._requests
        while not self._over:
            if self._head is not None and requests.whole:
                if not requests.waiting:
                    return
                self._turn.clear()
                await self._turn.wait()
                continue
            found = requests.next()
            if found is None:
                return
            if isinstance(found, Head):
                await self._begin(found)
            elif found and self._stream is not None:
                await self._stream.handle(events.Body(stream_id=1, data=found))
            if requests.whole and self._stream is not None:
                await self._stream.handle(events.EndBody(stream_id=1))

    async def _begin(self, head: Head) -> None:
        self._head, self._whole = head, False
        self._served += 1
        self._stream = stream = self._factory.stream(1, self.stream_send)
        await self.send(Updated(idle=False))
        target, headers = _request_of(head)
        version = "1.0" if head.http10 else "1.1"
        await self._factory.begin(stream, version=version, method=head.method, target=target, headers=headers)
        if stream.closed:
            await self._finish()
        elif head.expects and not self._requests.waiting:
            await self.send(RawData(data=_CONTINUE))

    async def _refuse(self, refused: Refused) -> None:
        """Send an error response and close; what follows in the input is not parsed."""
        self._over = True
        if self._answer is not None:
            await self.send(Broken())
            return
        common = b"".join(b"%b: %b\r\n" % field for field in self._factory.config.response_headers("h11"))
        await self.send(RawData(data=refused.response(date=common)))
        await self.send(Closed())

    async def stream_send(self, event: events.Event) -> None:
        """Send an event of the response.

        Raises:
            ValueError: a header is invalid.
            Unfinished: the body is shorter than its Content-Length.
        """
        if isinstance(event, events.StreamClosed):
            await self._finish()
        elif self._over or self._head is None:  # the client has its response, or has disconnected
            return
        elif isinstance(event, events.Response):
            self._open(self._head, event)
        elif self._answer is None:
            return
        elif isinstance(event, events.Body):
            await self._put(self._answer.frame(event.data))
        elif isinstance(event, events.EndBody):
            end = self._answer.end()
            self._whole = True
            await self._put(end)

    def _open(self, head: Head, event: events.Response) -> None:
        factory = self._factory
        # A response that begins while the worker stops is the last one, and says so.
        keeps = head.keep_alive and not factory.terminated and self._served < factory.config.keep_alive_max_requests
        status, lines, lengths = event.status_code, [], []
        for name, value in (*event.headers, *factory.config.response_headers("h11")):
            if name == b"content-length":
                lengths.append(value)
                continue
            if name in _OF_A_CONNECTION:
                keeps = keeps and not (name == b"connection" and b"close" in value.lower())
                continue
            lines.append(b"%b: %b\r\n" % (check_name(name), value))
        answer = AnswerFraming(head, status, content_length(lengths), keeps=keeps)
        line = f"HTTP/1.1 {status} {responses.get(status, '')}\r\n".encode("ascii")
        self._answer, self._opening = answer, b"".join((line, *lines, answer.lines, b"\r\n"))

    async def _put(self, data: bytes) -> None:
        if self._opening:
            self._opening, data = b"", self._opening + data
        if data:
            await self.send(RawData(data=data))

    async def _finish(self) -> None:
        """The response is over: prepare for the next request, or close."""
        answer, self._answer = self._answer, None
        await self._close_request()
        if self._over:
            return
        if answer is None or not self._whole:
            self._over = True
            await self._put(b"")
            await self.send(Broken())
        elif answer.keeps and self._requests.whole:
            self._head = None
            self._turn.set()
            await self.send(Updated(idle=True))
        else:
            self._over = True
            await self.send(Closed())
        self._turn.set()

    async def _close_request(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.handle(events.StreamClosed(stream_id=1))


def _request_of(head: Head) -> tuple[bytes, Headers]:
    """Return target and headers of a request; an absolute URL as target becomes a path and a Host header."""
    path = head.path if head.query is None else b"%b?%b" % (head.path, head.query)
    lines = [(name.lower(), value) for name, value in head.fields.lines]
    if head.scheme and head.host is not None:
        lines = [(b"host", head.host), *(line for line in lines if line[0] != b"host")]
    return path, lines

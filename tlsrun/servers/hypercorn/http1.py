"""Hypercorn's HTTP/1.1, with requests read by `tlsrun.http1`, and with what it leaves undone when an answer ends badly.

- h11 reads more than RFC 9112 has (bare LF, folded lines): it is shown the framing of good requests, and nothing else.
- A worker that stops answers what its clients have on the way, where Hypercorn refuses it or hangs up; with the answer
  they hear that they have to come anew.
- An answer that breaks off is made to look so: the connection is cut.
- No upgrade to h2c or WebSocket: ALPN has said what is spoken.
"""

from __future__ import annotations

from dataclasses import replace
from http.client import responses
from typing import Any

import h11
from hypercorn.events import Closed, RawData, Updated
from hypercorn.protocol.events import Request, Response
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.protocol.http_stream import HTTPStream

from tlsrun.http1.chunks import Chunked
from tlsrun.http1.head import Head
from tlsrun.http1.inbox import Inbox
from tlsrun.http1.refusal import Refused, malformed
from tlsrun.servers.hypercorn.events import Broken
from tlsrun.servers.hypercorn.heads import Headers


class Http1(H11Protocol):
    """HTTP/1.1 and HTTP/1.0.

    Arguments:
        arguments: Hypercorn's.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.connection = self._strict = StrictH11(self.config.h11_max_incomplete_size)
        self._refused = False

    @property
    def idle(self) -> bool:
        """Whether no request is being answered."""
        return self.stream is None

    async def _check_protocol(self, event: h11.Request) -> None:
        """Hypercorn looks for an upgrade here."""

    async def _handle_events(self) -> None:
        try:
            await super()._handle_events()
        except Refused as refused:
            if self.connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                more = b"".join(b"%b: %b\r\n" % field for field in self.config.response_headers("h11"))
                self._refused = True
                await self.send(RawData(data=refused.response(date=more)))
                await self.send(Closed())
            else:
                await self.send(Broken())

    async def _create_stream(self, request: h11.Request) -> None:
        path, headers = _request_of(self._strict.head)
        self.stream = HTTPStream(
            self.app, self.config, self.context, self.task_group, self.ssl, self.client, self.server,
            self.stream_send, STREAM_ID,
        )  # fmt: skip
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=headers,
                http_version=request.http_version.decode(),
                method=request.method.decode("ascii"),
                raw_path=path,
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
        if self._refused:  # the client has its answer
            return
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


class StrictH11(h11.Connection):
    """h11's side of a connection, which is shown no more of it than it needs: the framing of good requests.

    Arguments:
        most: bytes that h11 may keep of an event that is not whole.

    Attributes:
        head: of the request at hand.
    """

    head: Head

    def __init__(self, most: int) -> None:
        super().__init__(h11.SERVER, max_incomplete_event_size=most)
        self._inbox = Inbox()
        self._chunks: Chunked | None = None
        self._left = 0  # bytes of the body that are to come
        self._over = self._told = False

    def receive_data(self, data: bytes) -> None:
        """As h11's: keep what came; b"" is the end."""
        if data:
            self._inbox.put(data)
        else:
            self._over = True

    def next_event(self) -> Any:
        """As h11's.

        Raises:
            Refused: the client sends no good request; nothing behind it is to be trusted.
            h11.RemoteProtocolError: it went away in the middle of one.
        """
        event = super().next_event()
        while event is h11.NEED_DATA:
            if self.their_state is h11.DONE and self._inbox.size:
                return h11.PAUSED
            data = self._more()
            if not data:
                if self._told or not self._over:
                    break
                self._told = True
            super().receive_data(data)
            event = super().next_event()
        return event

    def _more(self) -> bytes:
        """Something that h11 may see."""
        if self.their_state is h11.SEND_BODY:
            return self._body()
        if self.their_state is not h11.IDLE or (head := self._inbox.next_head()) is None:
            return b""
        self.head = head
        self._chunks = Chunked(malformed) if head.chunked else None
        self._left = head.length or 0
        return _framing(head)

    def _body(self) -> bytes:
        if self._chunks is None:
            data = self._inbox.take(self._left)
            self._left -= len(data)
            return data
        pieces, rest = self._chunks.feed(self._inbox.take())
        if rest:
            self._inbox.put(rest)
        data = b"".join(pieces)
        framed = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        return framed + b"0\r\n\r\n" if self._chunks.done else framed


def _request_of(head: Head) -> tuple[bytes, Headers]:
    """Target and headers of a request over HTTP/1.1, of which a URL in the target is told as a path and a host."""
    path = head.path if head.query is None else b"%b?%b" % (head.path, head.query)
    lines = [(name.lower(), value) for name, value in head.fields.lines]
    if head.scheme and head.host is not None:
        lines = [(b"host", head.host), *(line for line in lines if line[0] != b"host")]
    return path, lines


def _framing(head: Head) -> bytes:
    """A request of the same framing; its lines are told to the application, and not to h11."""
    lines = [b"%b / HTTP/1.%d" % (head.method, not head.http10), b"Host: h"]
    if not head.keep_alive:
        lines.append(b"Connection: close")
    if head.chunked:
        lines.append(b"Transfer-Encoding: chunked")
    elif head.length is not None:
        lines.append(b"Content-Length: %d" % head.length)
    if head.expects:
        lines.append(b"Expect: 100-continue")
    return b"\r\n".join((*lines, b"", b""))

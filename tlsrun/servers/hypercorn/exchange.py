"""One request and its response, between the event loop and the application's thread.

The states of a request::

    COLLECTING ──► (the body is complete or large, or its client pauses) HANDLED by a thread ──► DONE
         └──► (the client disconnects, or sends nothing for too long while no thread is free for it) DONE
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from tlsrun.http1.refusal import Refused
from tlsrun.servers.hypercorn.body_queue import BodyQueue
from tlsrun.servers.hypercorn.deadlines import Deadlines
from tlsrun.servers.hypercorn.response_queue import PIECE, ClientGone, ResponseQueue
from tlsrun.servers.store import SharedQuota
from tlsrun.servers.wsgi import Headers, Parts, declared_length

_log = logging.getLogger("tlsrun.hypercorn")

#: Bytes of a body collected before a thread handles the request; a shorter body is collected completely.
COLLECTED = 1 << 23
_UNREAD = 65536  # bytes not read by the application, above which reading from the client pauses (HTTP/1.1)
_CREDIT = 16384  # bytes after which the flow control window of an upload is extended

#: Status codes without a body (RFC 9110, sections 15.3.5 and 15.4.5).
_WITHOUT_BODY = (204, 304)
_PLAIN: Headers = [("Content-Type", "text/plain; charset=utf-8")]


class Exchange:
    """Created in the event loop, then used by one thread.

    Arguments:
        send: passes an event of the response to Hypercorn's stream; None after the last one.
        scope: the ASGI scope of the request.
        start: called in the loop to have a thread handle the request. Its second argument tells whether the body is
            still incomplete because the client pauses; then it may decline by returning False.
        bodies, answers: quotas for buffered request bodies and responses, shared with other requests.
        pauses: deadlines after which silence of the client counts as a pause.
        deadlines: deadlines for sending and receiving anything at all.
        consumed: called in the loop with the number of body bytes that the application has read, to extend the
            client's flow control window; None to stop reading from the client instead.
        alt_svc: value of the Alt-Svc header, if the application sets none; None for no such header.

    Attributes:
        environ: the request's environ.
        gone: the client has disconnected or cancelled the request.
        body: the request's body.
    """

    environ: dict[str, Any]

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        send: Callable[[Any], Awaitable[None]],
        scope: Any,
        *,
        start: Callable[[Exchange, bool], bool],
        bodies: SharedQuota,
        answers: SharedQuota,
        pauses: Deadlines,
        deadlines: Deadlines,
        consumed: Callable[[int], None] | None,
        alt_svc: bytes | None = None,
    ) -> None:
        self._loop = loop
        self._send = send
        self._scope = scope
        self._start = start
        self._bodies = bodies
        self._pauses = pauses
        self._patience = deadlines.patience
        self._heard = loop.time()  # when the client last sent something
        self._waits = consumed is None
        self._alt_svc = alt_svc
        self._room = asyncio.Event()
        self._consumed = consumed or self._make_room
        self._owed = 0  # bytes read by the application, but not reported to `consumed` yet
        self._ahead = 0  # bytes reported to `consumed`, but not read by the application yet
        self._response = ResponseQueue(loop, send, scope, stock=answers, deadlines=deadlines)
        self.body = BodyQueue(deadlines.patience, self._taken, bodies)
        self.gone = False
        self._begun = self._whole = False
        self._collecting = True
        pauses.expect(self)

    # Called in the event loop.

    async def put(self, event: Any) -> None:
        """Handle an event of the request from Hypercorn; returns when there is room for more."""
        if event["type"] != "http.request":
            self._cease_collecting()
            self.gone = True
            self.body.break_off()
            self._response.close()
            self._room.set()
            await self._send(None)
            return
        body = event["body"]
        try:
            self.body.feed(body)
        except Refused as refused:
            self._refuse(refused)
        if not event["more_body"]:
            self.body.end()
        if self._collecting:
            self._collect(len(body))
            return
        while self._waits and self._has_enough() and not (self.body.whole or self.gone):
            self._room.clear()
            await self._room.wait()

    def late(self) -> None:
        """The client pauses: it may be waiting for a response to the part that it has sent."""
        if self._start(self, True):
            self._collecting = False
        elif self._loop.time() < self._heard + self._patience:
            self._pauses.expect(self)
        else:
            words = f"Nothing more of the request came for {self._patience:g} seconds."
            self._refuse(Refused(408, words))

    def _collect(self, size: int) -> None:
        """A part of the body has arrived while the body is being collected."""
        if self.body.whole or self.body.size > COLLECTED or self._bodies.total.exhausted:
            self._owed = 0  # reported once the application has read it
            self._cease_collecting()
            self._start(self, False)
            return
        self._heard = self._loop.time()
        self._pauses.expect(self)
        self._owed += size
        if self._owed >= _CREDIT and not self._waits:
            self._ahead += self._owed
            self._consumed(self._owed)
            self._owed = 0

    def _has_enough(self) -> bool:
        """Whether to stop reading from the client for now."""
        return self.body.size > _UNREAD or self.body.in_file

    def _cease_collecting(self) -> None:
        self._collecting = False
        self._pauses.forget(self)

    def _refuse(self, refused: Refused) -> None:
        """Stop reading the request; if no thread handles it yet, send the error response."""
        self.body.break_off(refused.words)
        if self._collecting:
            self._cease_collecting()
            # Over HTTP/1.1 the rest of the body would be parsed as the next request.
            closing = [("Connection", "close")] if self._scope["http_version"] < "2" else []
            with contextlib.suppress(ClientGone):
                self.response_bytes(refused.status, [*_PLAIN, *closing], f"{refused.words}\n".encode())

    def _make_room(self, size: int) -> None:
        self._room.set()

    # Called in the application's thread.

    def admit(self) -> None:
        """Called just before the application runs.

        Raises:
            ClientGone: the client has disconnected or cancelled the request in the meantime.
        """
        if self.gone:
            raise ClientGone

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a complete response.

        Raises:
            ClientGone: the client has disconnected.
        """
        known = status in _WITHOUT_BODY or self._scope["method"] == "HEAD"
        if not (known or any(name.lower() == "content-length" for name, _ in headers)):
            headers = [*headers, ("Content-Length", str(len(body)))]
        self._begin(status, headers)
        if len(body) <= PIECE:
            self._put(body, more=False)
            return
        for begin in range(0, len(body), PIECE):
            self._put(body[begin : begin + PIECE], more=begin + PIECE < len(body))

    def response_iter(self, status: int, headers: Headers, body: Parts) -> None:
        """Send a response part by part: the head with the first part (PEP 3333), the end at its Content-Length.

        Raises:
            ClientGone: the client has disconnected.
        """
        left = declared_length(headers)
        try:
            self._begin(status, headers)
            for piece in _pieces(body):
                if self._whole:
                    _log.warning("an answer is longer than its Content-Length; the rest of it was left out")
                    break
                left -= len(piece)
                self._put(piece, more=bool(left))
            if not self._whole:
                self._put(b"", more=False)
        finally:
            body.close()

    def gone_with(self, error: BaseException) -> bool:
        """Whether ``error`` merely results from the client having disconnected."""
        return self.gone and isinstance(error, ConnectionError)

    def fail(self) -> None:
        """The application raised: respond 500, unless a response has begun."""
        if not self._begun and not self.gone:
            with contextlib.suppress(ClientGone):
                self.response_bytes(500, _PLAIN, b"The application failed; its log says why.\n")

    def finish(self) -> None:
        """The application is done. Abort an incomplete response, so that the client does not take it for complete."""
        self.body.break_off("its answer is over")
        if self._waits and not self.body.whole:
            # The client may have to send the whole body before it reads the response.
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._room.set)
        with contextlib.suppress(ClientGone):
            self._response.cut()

    def _begin(self, status: int, headers: Headers) -> None:
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        if self._alt_svc is not None and all(name != b"alt-svc" for name, _ in encoded):
            encoded.append((b"alt-svc", self._alt_svc))
        self._response.begin({"type": "http.response.start", "status": status, "headers": encoded})

    def _put(self, data: bytes, *, more: bool) -> None:
        self._begun = True
        self._response.put(data, more=more)
        self._whole = not more

    def _taken(self, size: int) -> None:
        if self.body.whole:
            return
        told = min(size, self._ahead)
        self._ahead -= told
        self._owed += size - told
        if not self.body.in_file:
            owed, self._owed = self._owed, 0
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._consumed, owed)


def _pieces(parts: Parts) -> Iterator[bytes]:
    while True:
        try:
            part = next(parts)
        except StopIteration:
            return
        if len(part) <= PIECE:
            yield part
            continue
        for begin in range(0, len(part), PIECE):
            yield part[begin : begin + PIECE]

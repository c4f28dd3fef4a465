"""One request and its answer: what the event loop is told of it, and what the application's thread asks for."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

from tlsrun.edge.refusal import Refused
from tlsrun.servers.hypercorn.inbox import ROOM, Inbox
from tlsrun.servers.wsgi import Headers, Parts, declared_length

_log = logging.getLogger("tlsrun.hypercorn")

_PIECE = 65536  # bytes of an answer that are handed over at once

#: Answers to which no body belongs (RFC 9110, sections 15.3.5 and 15.4.5).
_WITHOUT_BODY = (204, 304)


class ClientGone(ConnectionError):
    """There is nobody to answer any more."""


class Exchange:
    """Made in the event loop, used by one thread.

    Arguments:
        send: what Hypercorn's stream does with the events of a response.
        scope: its description of the request.
        patience: seconds in which the client has to take, or send, some more.
        consumed: told, in the loop, how many bytes of the body were taken; None to have the client wait instead.
        alt_svc: the value of that header, where the application sets none; None for no such header.

    Attributes:
        gone: the client has.
        inbox: the request's body.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        send: Callable[[Any], Awaitable[None]],
        scope: Any,
        *,
        patience: float,
        consumed: Callable[[int], None] | None,
        alt_svc: bytes | None = None,
    ) -> None:
        self._loop = loop
        self._send = send
        self._head = scope["method"] == "HEAD"
        self._patience = patience
        self._waits = consumed is None
        self._alt_svc = alt_svc
        self._room = asyncio.Event()
        self._consumed = consumed or self._make_room
        self.inbox = Inbox(patience, self._taken)
        self.gone = False
        self._begun = self._whole = False

    # The event loop's side.

    async def put(self, event: Any) -> None:
        """Take an event of the request from Hypercorn; returns when there is room for more."""
        if event["type"] != "http.request":
            self.gone = True
            self.inbox.break_off()
            self._room.set()
            return
        try:
            self.inbox.feed(event["body"])
        except Refused as refused:
            self.inbox.break_off(refused.words)
        if not event["more_body"]:
            self.inbox.end()
        while self._waits and self.inbox.size > ROOM and not self.gone:
            self._room.clear()
            await self._room.wait()

    def _make_room(self, size: int) -> None:
        self._room.set()

    # The application's side.

    def admit(self) -> None:
        """Asked when it is this request's turn.

        Raises:
            ClientGone: the client has taken it back, or gone, while it waited.
        """
        if self.gone:
            raise ClientGone

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer."""
        known = self._head or status in _WITHOUT_BODY or any(name.lower() == "content-length" for name, _ in headers)
        if not known:
            headers = [*headers, ("Content-Length", str(len(body)))]
        first, rest = body[:_PIECE], body[_PIECE:]
        self._wait(self._begin(status, headers, first, more=bool(rest)))
        while rest:
            first, rest = rest[:_PIECE], rest[_PIECE:]
            self._wait(self._continue(first, more=bool(rest)))

    def response_iter(self, status: int, headers: Headers, body: Parts) -> None:
        """Send an answer part by part; its head goes with the first (PEP 3333), its end with the last one declared."""
        left = declared_length(headers)
        try:
            pieces = _pieces(body)
            first = next(pieces, b"")
            left -= len(first)
            self._wait(self._begin(status, headers, first, more=bool(first and left)))
            for piece in pieces if first else ():
                if self._whole:
                    _log.warning("an answer is longer than its Content-Length; the rest of it was left out")
                    break
                left -= len(piece)
                self._wait(self._continue(piece, more=bool(left)))
            if not self._whole:
                self._wait(self._continue(b"", more=False))
        finally:
            body.close()

    def gone_with(self, error: BaseException) -> bool:
        """Whether ``error`` is no more than that the client has gone."""
        return self.gone and isinstance(error, ConnectionError)

    def fail(self) -> None:
        """The application raised: an answer that has not begun is a 500."""
        if not self._begun and not self.gone:
            fields = [("Content-Type", "text/plain; charset=utf-8")]
            with contextlib.suppress(ClientGone):
                self.response_bytes(500, fields, b"The application failed; its log says why.\n")

    def finish(self) -> None:
        """Nothing more comes: an answer that has not ended is broken off, so that nobody takes it for whole."""
        self.inbox.break_off("its answer is over")
        if self._whole:
            return
        end = self._end()
        try:
            asyncio.run_coroutine_threadsafe(end, self._loop)
        except RuntimeError:  # the loop has ended
            end.close()

    async def _begin(self, status: int, headers: Headers, body: bytes, *, more: bool) -> None:
        self._begun = True
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        if self._alt_svc is not None and all(name != b"alt-svc" for name, _ in encoded):
            encoded.append((b"alt-svc", self._alt_svc))
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})
        await self._continue(body, more=more)

    async def _continue(self, body: bytes, *, more: bool) -> None:
        if body or not more:
            await self._send({"type": "http.response.body", "body": body, "more_body": more})
            self._whole = not more

    async def _end(self) -> None:
        try:
            await self._send(None)
        except Exception:  # nobody waits for it
            _log.exception("an answer could not be ended")

    def _wait(self, coroutine: Coroutine[Any, Any, None]) -> None:
        if self.gone:
            coroutine.close()
            raise ClientGone
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            future.result(self._patience)
        except (concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
            # A client that takes nothing: of HTTP/2 and HTTP/3, whose connections may be alive otherwise.
            future.cancel()
            self.gone = True
            raise ClientGone from None
        if self._is_lost():
            raise ClientGone

    def _is_lost(self) -> bool:
        """Whether the client went before it had its whole answer."""
        return self.gone and not self._whole

    def _taken(self, size: int) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._consumed, size)


def _pieces(parts: Parts) -> Iterator[bytes]:
    while True:
        try:
            part = next(parts)
        except StopIteration:
            return
        for begin in range(0, len(part), _PIECE):
            yield part[begin : begin + _PIECE]

"""One request and its answer: what the event loop is told of it, and what the application's thread asks for.

The states of a request::

    COLLECTED ──► (its body is whole, or there is much of it, or its client pauses) a thread has it ──► over
    the client goes, or, where it may not have a thread before, sends nothing for too long: no thread ever has it
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

#: Bytes of a body that are there, or the whole of it, before a thread is asked.
COLLECTED = 1 << 23
_UNREAD = 65536  # bytes that wait for the application before a client is made to wait, where it can be
_CREDIT = 16384  # bytes after which a client that sends a body is told that it may send more

#: Answers to which no body belongs (RFC 9110, sections 15.3.5 and 15.4.5).
_WITHOUT_BODY = (204, 304)
_PLAIN: Headers = [("Content-Type", "text/plain; charset=utf-8")]


class Exchange:
    """Made in the event loop, then used by one thread.

    Arguments:
        send: what Hypercorn's stream does with the events of a response; with None, when nothing more comes.
        scope: its description of the request.
        start: called, in the loop, when a thread is to answer it; with whether its body is still to come, as its client
            pauses: then it may say no, by returning False.
        bodies, answers: for what waits of them, shared with others.
        pauses: how long a client sends nothing before that is a pause.
        deadlines: how long it may send, or take, nothing.
        consumed: told, in the loop, how many bytes of the body were taken; None to have the client wait instead.
        alt_svc: the value of that header, where the application sets none; None for no such header.

    Attributes:
        environ: what the application is told of the request.
        gone: the client has.
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
        self._heard = loop.time()  # when the client has sent something
        self._waits = consumed is None
        self._alt_svc = alt_svc
        self._room = asyncio.Event()
        self._consumed = consumed or self._make_room
        self._owed = 0  # bytes that were taken, and of which the client was not told yet
        self._ahead = 0  # bytes of which it was told, and that the application has not taken yet
        self._response = ResponseQueue(loop, send, scope, stock=answers, deadlines=deadlines)
        self.body = BodyQueue(deadlines.patience, self._taken, bodies)
        self.gone = False
        self._begun = self._whole = False
        self._collecting = True
        pauses.expect(self)

    # The event loop's side.

    async def put(self, event: Any) -> None:
        """Take an event of the request from Hypercorn; returns when there is room for more."""
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
        """The client pauses: it may be waiting for what the application says to the part that is there."""
        if self._start(self, True):
            self._collecting = False
        elif self._loop.time() < self._heard + self._patience:
            self._pauses.expect(self)
        else:
            words = f"Nothing more of the request came for {self._patience:g} seconds."
            self._refuse(Refused(408, words))

    def _collect(self, size: int) -> None:
        """A part of the body has come, while no thread is asked."""
        if self.body.whole or self.body.size > COLLECTED or self._bodies.total.exhausted:
            self._owed = 0  # it is told of that once the application has it
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
        """Whether the client is to send no more for now."""
        return self.body.size > _UNREAD or self.body.in_file

    def _cease_collecting(self) -> None:
        self._collecting = False
        self._pauses.forget(self)

    def _refuse(self, refused: Refused) -> None:
        """No more is read of the request; and if no thread has it, it is answered here."""
        self.body.break_off(refused.words)
        if self._collecting:
            self._cease_collecting()
            # Over HTTP/1.1 what still comes of it would be taken for the next request.
            closing = [("Connection", "close")] if self._scope["http_version"] < "2" else []
            with contextlib.suppress(ClientGone):
                self.response_bytes(refused.status, [*_PLAIN, *closing], f"{refused.words}\n".encode())

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
        """Send a whole answer.

        Raises:
            ClientGone: there is nobody to take it.
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
        """Send an answer part by part; its head goes with the first (PEP 3333), its end with the last one declared.

        Raises:
            ClientGone: there is nobody to take it.
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
        """Whether ``error`` is no more than that the client has gone."""
        return self.gone and isinstance(error, ConnectionError)

    def fail(self) -> None:
        """The application raised: an answer that has not begun is a 500."""
        if not self._begun and not self.gone:
            with contextlib.suppress(ClientGone):
                self.response_bytes(500, _PLAIN, b"The application failed; its log says why.\n")

    def finish(self) -> None:
        """Nothing more comes: an answer that has not ended is broken off, so that nobody takes it for whole."""
        self.body.break_off("its answer is over")
        if self._waits and not self.body.whole:
            # The client may have to send all before it takes the answer.
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

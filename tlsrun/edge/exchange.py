"""One request and its answer: from a client's connection to a worker and back."""

from __future__ import annotations

import logging
from typing import Protocol

from tlsrun.edge.answer import Answer, BadAnswer
from tlsrun.edge.shared import Shared
from tlsrun.edge.spool import RequestSpool
from tlsrun.edge.upstream import Upstream
from tlsrun.http1.head import Head
from tlsrun.http1.refusal import Refused
from tlsrun.spool import PART


class Asker(Protocol):
    """Who has asked, and is told what comes of it; see `tlsrun.edge.connection.EdgeConnection`."""

    edge: Shared
    full: bool

    @property
    def may_stay(self) -> bool:
        """Whether another request may follow."""

    def drained(self) -> None:
        """The worker took what there was of the request."""

    def progressed(self) -> None:
        """Something moved."""

    def deliver(self, data: bytes) -> None:
        """A part of the answer."""

    def finished(self, answer: Answer) -> None:
        """The answer is whole."""

    def failed(self, request: Head, refused: Refused | None) -> None:
        """There is none, or (None) it broke off."""

    def abort(self) -> None:
        """Close at once."""


class UpstreamExchange(Upstream):
    """A request on its way.

    Arguments:
        client: the connection that it came over.
        request: its head.
        packet: the variables, as the uwsgi protocol has them, and what is there of a streamed body.
        body: the whole body, when that was collected; it is closed in the end.

    Attributes:
        answer: what comes back.
        connected: a worker's socket took the request.
    """

    __slots__ = ("_body", "_client", "_packet", "answer", "connected", "request")

    def __init__(self, client: Asker, request: Head, packet: bytes, body: RequestSpool | None) -> None:
        super().__init__(client.edge.poller, client.edge.upstream)
        self._client = client
        self._packet = packet
        self._body = body
        self.request = request
        self.answer = Answer(request)
        self.connected = False

    def connect(self) -> bool:
        """Go to a worker.

        Returns:
            False when none has room: call again.
        """
        try:
            if not self.open():
                return False
        except OSError as error:
            self._complain(logging.WARNING, "no worker at %s: %s", error.strerror or error)
            self.fail(_unavailable("No worker is there to answer. Try again soon."))
            return True
        self.connected = True
        packet, self._packet = self._packet, b""
        if self._body is not None:
            packet += self._body.take(PART)
        self.read_on(not self._client.full)
        self.send(packet, self._body)
        self._client.drained()
        return True

    def send_body(self, data: bytes) -> None:
        """Hand on a part of a streamed body."""
        if self.connected:
            self.send(data)
        else:
            self._packet += data

    def answered(self, data: bytes) -> None:
        """Bytes came from the worker."""
        self._take(data, False)

    def ended(self) -> None:
        """The worker closed."""
        self._take(b"", True)

    def drained(self) -> None:
        """The worker took what was there of the request."""
        self._client.drained()

    def broken(self) -> None:
        """This request is lost, the others are not."""
        self.close()
        self._client.abort()

    def expire(self) -> None:
        """The worker's time is over."""
        if not self.connected:
            self._complain(logging.WARNING, "all workers at %s were busy for too long")
            self.fail(_unavailable("All workers are busy. Try again soon."))
            return
        self._client.edge.given_up()
        self._complain(logging.WARNING, "a worker at %s gave no answer in time to %s", self._words())
        self.fail(Refused(504, "The application gave no answer in time."))

    def fail(self, refused: Refused) -> None:
        """End with the edge's own answer, or with a cut when the worker's has begun."""
        self.close()
        self._client.failed(self.request, None if self.answer.begun else refused)

    def close(self) -> None:
        """Let go of the worker and of the body."""
        super().close()
        if self._body is not None:
            self._body.close()
            self._body = None
        queue = self._client.edge.queue
        if queue.waiting:
            queue.leave(self)

    def _take(self, data: bytes, ended: bool) -> None:
        answer = self.answer
        try:
            out = answer.feed(data, ended) if answer.begun else self._begin(data, ended)
        except BadAnswer as error:
            self._complain(logging.ERROR, "the answer of a worker at %s to %s: %s", self._words(), error)
            self.fail(Refused(502, "The application broke off, or gave no proper answer."))
            return
        if out:
            self._client.deliver(out)
        if answer.done:
            self.close()
            self._client.finished(answer)
        else:
            self.part = PART
            self._client.progressed()

    def _begin(self, data: bytes, ended: bool) -> bytes:
        """Take the head, and with it what is there of the body: one write, and perhaps a known length."""
        answer = self.answer
        if not answer.status:
            rest = answer.take_head(data)
            if rest is None:
                return answer.feed(b"", ended) if ended else b""
            data = rest
        if not ended and not answer.done and (answer.open_ended or not data):
            more = self.read_more()
            ended = more == b""
            data += more or b""
        answer.date = self._client.edge.date
        answer.keep_alive = answer.keep_alive and self._client.may_stay
        return answer.feed(data, ended)

    def _complain(self, level: int, message: str, *arguments: object) -> None:
        edge = self._client.edge
        edge.error_log.write(level, message, edge.upstream, *arguments)

    def _words(self) -> str:
        """The request for a log; without its query, which may hold secrets."""
        path, _, _ = self.request.target.partition(b"?")
        return f"{self.request.method.decode('ascii')} {path[:200].decode('ascii')}"


def _unavailable(words: str) -> Refused:
    return Refused(503, words, b"Retry-After: 1\r\n")

"""One request and its answer, between a client's connection and a worker."""

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
    """The connection that a request came over; see `tlsrun.edge.connection.EdgeConnection`."""

    edge: Shared
    full: bool

    @property
    def may_stay(self) -> bool:
        """Whether another request may follow."""

    def drained(self) -> None:
        """The worker has taken all of the request that was sent so far."""

    def progressed(self) -> None:
        """There was progress."""

    def deliver(self, data: bytes) -> None:
        """Send a part of the answer."""

    def finished(self, answer: Answer) -> None:
        """The answer is complete."""

    def failed(self, request: Head, refused: Refused | None) -> None:
        """There is no answer, or it broke off (``refused`` is None)."""

    def abort(self) -> None:
        """Close at once."""


class UpstreamExchange(Upstream):
    """A request that a worker is answering.

    Arguments:
        client: the connection that the request came over.
        request: its head.
        packet: the variables as a uwsgi packet, followed by what has come of a streamed body.
        body: the whole body, if it was collected; closed at the end.

    Attributes:
        answer: the answer.
        connected: whether a worker's socket has accepted the connection.
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
        """Connect to the workers' socket.

        Returns:
            False when none has room: call again.
        """
        try:
            if not self.open():
                return False
        except OSError as error:
            self._log_error(logging.WARNING, "no worker at %s: %s", error.strerror or error)
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
        """Pass on a part of a streamed body."""
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
        """The worker has taken all of the request that was sent so far."""
        self._client.drained()

    def broken(self) -> None:
        """Fail this request alone, after an internal error."""
        self.close()
        self._client.abort()

    def expire(self) -> None:
        """The worker took too long."""
        if not self.connected:
            self._log_error(logging.WARNING, "all workers at %s were busy for too long")
            self.fail(_unavailable("All workers are busy. Try again soon."))
            return
        self._client.edge.given_up()
        self._log_error(logging.WARNING, "a worker at %s gave no answer in time to %s", self._words())
        self.fail(Refused(504, "The application gave no answer in time."))

    def fail(self, refused: Refused) -> None:
        """End with an answer from the edge, or cut the connection if the worker's answer has begun."""
        self.close()
        self._client.failed(self.request, None if self.answer.begun else refused)

    def close(self) -> None:
        """Close the connection to the worker, and the body."""
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
            self._log_error(logging.ERROR, "the answer of a worker at %s to %s: %s", self._words(), error)
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
        """Take the head together with what has come of the body: one write, and perhaps a known length."""
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

    def _log_error(self, level: int, message: str, *arguments: object) -> None:
        edge = self._client.edge
        edge.error_log.write(level, message, edge.upstream, *arguments)

    def _words(self) -> str:
        """The request as logged: without its query, which may hold secrets."""
        path, _, _ = self.request.target.partition(b"?")
        return f"{self.request.method.decode('ascii')} {path[:200].decode('ascii')}"


def _unavailable(words: str) -> Refused:
    return Refused(503, words, b"Retry-After: 1\r\n")

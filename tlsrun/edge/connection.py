"""HTTP/1.1 with one client: requests are passed to a worker and answered one after the other, in order."""

from __future__ import annotations

import asyncio
import ssl
import time

from tlsrun.edge.answer import Answer
from tlsrun.edge.closing import ANSWERING, COLLECTING, LAST_REQUEST, LEAVING, WAITING
from tlsrun.edge.deadline_channel import READER, SENDER, WORKER
from tlsrun.edge.disconnect import DisconnectAware
from tlsrun.edge.exchange import UpstreamExchange
from tlsrun.edge.packing import Packing
from tlsrun.edge.shared import Shared
from tlsrun.edge.spool import RequestSpool, SpooledBody, check_body
from tlsrun.edge.variables import packet
from tlsrun.http1.head import Head
from tlsrun.http1.refusal import Refused

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class EdgeConnection(DisconnectAware):
    """A client's connection.

    Arguments:
        edge: what all connections share.
    """

    def __init__(self, edge: Shared) -> None:
        super().__init__(edge)
        self._packing = Packing()
        self._fixed = b""
        self._advancing = False
        self._partial = False  # an incomplete head has come
        self._answer: Answer | None = None  # complete, but partly still unsent

    # Events from the client.

    def connected(self) -> None:
        self.edge.arrived(self)
        self.set_deadline(self.edge.handshake_timeout)

    def opened(self, tls: ssl.SSLObject) -> None:
        self._fixed = self.edge.variables(self, tls)
        self._packing = Packing(trusted=self.peer[0] in self.edge.trusted)
        self.set_deadline(self.edge.limits.head_timeout)

    def refused(self) -> None:
        self.set_deadline(self.edge.limits.linger_timeout)

    def received(self, data: bytes) -> None:
        if self._left:
            data = self._stream(data)
        self.inbox.put(data)
        if self.state == ANSWERING and self.inbox.size > self.edge.limits.pipelined:
            self.pause_reading()
        self._advance()

    def half_closed(self) -> None:
        if self._left:
            self.leave(self.cut)
        elif self.state == ANSWERING:
            self.check_still_there()
        else:
            self._advance()

    def lost(self) -> None:
        super().lost()
        self.state = LEAVING
        self._drop()
        self.edge.left(self)

    def congested(self) -> None:
        if self.exchange is not None:
            self.exchange.read_on(not self.full)
            self.progressed()

    def caught_up(self) -> None:
        if self.exchange is not None:
            self.exchange.read_on(True)
            self.progressed()
        else:  # not now: an asyncio transport must not be closed from this callback
            asyncio.get_running_loop().call_soon(self._go_on)

    # Requests.

    def _go_on(self) -> None:
        if self._answer is not None and not self.closing:
            self.finished(self._answer)
        elif self.state == WAITING and not self.slow:
            self._await_head()
        self._advance()

    def _advance(self) -> None:
        """Process the data received so far, as far as possible."""
        if self._advancing:
            return
        self._advancing = True
        try:
            going = True
            while going and self.inbox.size and not self.closing:
                if self.state == WAITING:
                    going = not self.slow and self._next()
                else:
                    going = self.state == COLLECTING and self._collect()
        except Refused as refused:
            self.refuse(refused)
        finally:
            self._advancing = False
        if self.state == COLLECTING or self.state == WAITING and not self.slow:
            if self.ended:
                self.leave(self.finish)
            else:
                self.resume_reading()

    def _next(self) -> bool:
        """Start the next request if its head is complete."""
        limits, request = self._limits, self.inbox.next_head()
        if request is None:
            if self.served and not self._partial:
                self._partial = True
                self.set_deadline(limits.head_timeout)
            return False
        self._partial = False
        self._request = request
        if self.edge.access is not None:
            self._began = time.monotonic()
        self.edge.occupied(self)
        if request.length is None and not request.chunked:
            self._ask(request, None)
            return True
        check_body(request.length or 0, limits)
        self.came = 0
        if not request.chunked and not 0 < (request.length or 0) <= limits.spooled:
            self._ask(request, None)
            return True
        self._body = SpooledBody(request.length, limits)
        self.state = COLLECTING
        self.watch(SENDER, limits.body_timeout)
        if request.expects and not self.inbox.size:
            self.send(_CONTINUE)
        return True

    def _collect(self) -> bool:
        """Add received data to the body; when it is complete, pass the request to a worker."""
        body, request, data = self._body, self._request, self.inbox.take()
        if body is None or request is None:
            return False
        self.came += len(data)
        self.inbox.put(body.feed(data))
        if body.done:
            self._ask(request, body.spool)
            self._body = None
        return body.done

    def _stream(self, data: bytes) -> bytes:
        """Pass on a part of a streamed body; returns the data after the body."""
        part, rest = data[: self._left], data[self._left :]
        self._left -= len(part)
        self.came += len(part)
        if self.exchange is not None:
            self.exchange.send_body(part)
            if self.exchange.sending:
                self.pause_reading()
        self.progressed()
        return rest

    def _ask(self, request: Head, spool: RequestSpool | None) -> None:
        """Pass the request to a worker."""
        length = request.length if spool is None else spool.size
        data = packet(self._fixed, self._packing.variables(request), length, self.edge.limits.variables)
        if length and spool is None:
            first = self.inbox.take(length)
            self._left = length - len(first)
            data += first
        self.state = ANSWERING
        self.awaited = WORKER
        self.exchange = exchange = UpstreamExchange(self, request, data, spool)
        if self._left:
            self.pause_reading()
        if not self.edge.queue.enter(exchange):
            self.set_deadline(self._limits.connect_timeout)
        if self.ended:
            self.check_still_there()

    # Events from the exchange with the worker.

    def drained(self) -> None:
        """The worker has taken all that was sent to it; the first time, the head."""
        exchange = self.exchange
        if self._left and exchange is not None and not exchange.sending:
            if exchange.request.expects and self._left == exchange.request.length:
                self.send(_CONTINUE)
            self.resume_reading()
        self.progressed()

    def progressed(self) -> None:
        """There was progress: work out who must act next, and set the deadline."""
        exchange, limits = self.exchange, self._limits
        if exchange is None or not exchange.connected:
            return
        awaited = READER if self.slow else SENDER if self._left and not exchange.sending else WORKER
        if awaited == WORKER:
            self.set_deadline(limits.answer_timeout)
        elif awaited != self.awaited:
            self.watch(awaited, limits.write_timeout if awaited == READER else limits.body_timeout)
        self.awaited = awaited

    def finished(self, answer: Answer) -> None:
        """The answer is complete; the worker is free."""
        self.exchange = None
        self._answer = answer if self.waits else None
        if self.waits:
            self.watch(READER, self.edge.limits.write_timeout)
            return
        self._note(answer.status)
        if answer.keep_alive and not self._left:  # as announced to the client, even if the edge is stopping meanwhile
            self._rest()
        else:
            self.close_after_response()

    def failed(self, request: Head, refused: Refused | None) -> None:
        """There is no answer, or it broke off (``refused`` is None)."""
        self.exchange = None
        self._note(0 if refused is None else refused.status)
        if refused is None:
            self.leave(self.cut)
            return
        stay = request.keep_alive and self.may_stay and refused.status >= 500
        head = request.method == b"HEAD"
        self.send(refused.response(date=self.edge.date, keep_alive=stay, http10=request.http10, head=head))
        if stay:
            self._rest()
        else:
            self.close_after_response()

    # Between and after requests.

    def _rest(self) -> None:
        """Wait for the next request."""
        self.state = WAITING
        self._request = None
        self.served += 1
        self.edge.idle(self)
        self._await_head()
        if self.inbox.size or self.ended:
            self._advance()
        else:
            self.resume_reading()

    def _await_head(self) -> None:
        waiting = self._limits.head_timeout if self.inbox.size else self._limits.idle_timeout
        if self.edge.stopping:
            waiting = min(waiting, LAST_REQUEST)
        self.watch(READER, self._limits.write_timeout if self.slow else waiting)

"""The state of a connection, and the ways in which the edge closes it."""

from __future__ import annotations

import time
from collections.abc import Callable

from tlsrun.edge.deadline_channel import READER
from tlsrun.edge.delivery import Delivery
from tlsrun.edge.exchange import UpstreamExchange
from tlsrun.edge.shared import Shared
from tlsrun.edge.spool import SpooledBody
from tlsrun.http1.head import Head
from tlsrun.http1.inbox import Inbox
from tlsrun.http1.refusal import Refused

# WAITING for a head; COLLECTING a body; ANSWERING: a worker has the request; LEAVING: being closed.
WAITING, COLLECTING, ANSWERING, LEAVING = range(4)

LAST_REQUEST = 1.0  # seconds in which an idle client may still send a request when the edge stops


class ClosableConnection(Delivery):
    """A connection that can be closed in each of its states.

    Arguments:
        edge: what all connections share.

    Attributes:
        state: one of the four above.
        served: how many requests were answered.
        inbox: bytes received and not yet processed.
        exchange: with a worker; None without one.
    """

    def __init__(self, edge: Shared) -> None:
        super().__init__(edge.context, edge.handshake_timeout, edge, edge.limits, edge.room)
        self.edge = edge
        self.state = WAITING
        self.served = 0
        self.inbox = Inbox(edge.limits.heads)
        self.exchange: UpstreamExchange | None = None
        self._request: Head | None = None
        self._began = 0.0
        self._body: SpooledBody | None = None
        self._left = 0  # bytes of a streamed body still to come

    @property
    def may_stay(self) -> bool:
        """Whether another request may follow this one."""
        return not self._left and not self.edge.stopping

    def refuse(self, refused: Refused) -> None:
        """Send an error response and close: where the next request would begin is not known."""
        self._note(refused.status)
        self.send(refused.response(date=self.edge.date))
        self.leave(self.hang_up)

    def close_after_response(self) -> None:
        """Close after a response, or an idle connection; linger if a request may be on its way, to avoid a reset."""
        asked = self._request is not None and not self._request.keep_alive
        quiet = self.ended or asked and not self._left and not self.inbox.size
        self.leave(self.finish if quiet else self.hang_up)

    def evict(self) -> None:
        """Close because there are too many connections, and this one has been idle longest."""
        self.leave(self.finish if self.shaken else self.give_way)

    def leave(self, how: Callable[[], None]) -> None:
        """Close the connection by ``how``, one of the channel's ways to do it."""
        self.state = LEAVING
        self._drop()
        how()
        self.watch(READER, self._limits.linger_timeout if self.flushed() else self._limits.write_timeout)

    def _drop(self) -> None:
        """Release the worker and the body."""
        if self.exchange is not None:
            self.edge.given_up()
            self.exchange.close()
            self.exchange = None
        if self._body is not None:
            self._body.spool.close()
            self._body = None
        self.discard()
        self._left = 0

    def _note(self, status: int) -> None:
        if self.edge.access is not None:
            self.edge.access(self.peer, self._request, status, time.monotonic() - self._began)

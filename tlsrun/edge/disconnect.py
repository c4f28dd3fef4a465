"""Whether the client of a request that waits for a worker still wants its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tlsrun.connections.presence import QUESTION, WAITED, tcp_has_ended
from tlsrun.edge.closing import ClosableConnection
from tlsrun.edge.exchange import UpstreamExchange
from tlsrun.edge.shared import Shared
from tlsrun.polling.poller import READ


class DisconnectAware(ClosableConnection):
    """A connection that is aborted when its client gives up its request.

    A reset is seen while the connection is read; while reading is paused, the poller looks for it. A client that has
    closed and one that has only shut down its sending side look the same until something is sent to them: then the
    system of the closed one answers with a reset. A client that has sent close_notify may close later, and have read
    the question by then: it is asked once more when its TCP connection ends.

    Arguments:
        edge: what all connections share.
    """

    def __init__(self, edge: Shared) -> None:
        super().__init__(edge)
        self._watched = -1  # a descriptor
        self._event: Callable[[], None] | None = None  # what is to be done when something happens to it

    def pause_reading(self) -> None:
        """As `FlowControlledProtocol.pause_reading`; a reset is seen all the same."""
        super().pause_reading()
        if self.exchange is not None:
            self._watch(0, self._broke)

    def resume_reading(self) -> None:
        """As `FlowControlledProtocol.resume_reading`."""
        self._unwatch()
        super().resume_reading()

    def lost(self) -> None:
        """The connection is gone."""
        self._unwatch()

    def check_still_there(self) -> None:
        """The client has shut down its sending side: find out whether it still waits, unless it is answered first."""
        if self.exchange is not None and not self.exchange.request.http10:
            asyncio.get_running_loop().call_later(WAITED, self._inquire, self.exchange)

    def _inquire(self, exchange: UpstreamExchange) -> None:
        if self.exchange is not exchange or exchange.answer.status:
            return
        self.send(QUESTION)
        # Nothing more is read from a client that has ended its side.
        self._unwatch()
        if tcp_has_ended(self._descriptor()):
            self._watch(0, self._broke)
        else:
            self._watch(READ, self._came)

    def _came(self) -> None:
        """Something has arrived that is not read: the end of the TCP connection, or bytes after a close_notify."""
        exchange = self.exchange
        self._unwatch()
        if exchange is not None and tcp_has_ended(self._descriptor()):
            self._inquire(exchange)
        else:
            self._watch(0, self._broke)

    def _descriptor(self) -> int:
        found: int = self._transport.get_extra_info("socket").fileno()
        return found

    def _watch(self, events: int, event: Callable[[], None]) -> None:
        if self._watched < 0 and not self._transport.is_closing():
            self._watched, self._event = self._descriptor(), event
            self.edge.poller.watch(self._watched, events, event)

    def _unwatch(self) -> None:
        if self._watched >= 0:
            # The descriptor may be closed already, and belong to another connection.
            if self.edge.poller.data_of(self._watched) == self._event:
                self.edge.poller.forget(self._watched)
            self._watched, self._event = -1, None

    def _broke(self) -> None:
        if self._watched >= 0:
            self._unwatch()
            self.abort()

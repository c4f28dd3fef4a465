"""Sending answers to clients that may be slow: unsent data is buffered here, so that no worker has to wait."""

from __future__ import annotations

import asyncio
import ssl

from tlsrun.edge.deadline_channel import Clock, DeadlineChannel
from tlsrun.edge.limits import EdgeLimits
from tlsrun.spool import PART, Room, Spool

_GRACE = 0.05  # seconds that the worker waits for a client which is only a bit slower: that saves a file


class Delivery(DeadlineChannel):
    """A channel that sends answers as fast as the client takes them, and buffers the rest.

    Nothing is ever held back from a client that takes it.

    Arguments:
        context, seconds, clock: see `DeadlineChannel`.
        limits: of the buffer.
        room: the limit on all buffers together.

    Attributes:
        slow: the client is not keeping up.
        full: so much is buffered that the worker has to wait, too.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        seconds: float,
        clock: Clock,
        limits: EdgeLimits,
        room: Room,
    ) -> None:
        super().__init__(context, seconds, limits.drained, clock)
        self._limits = limits
        self._room = room
        self._spool: Spool | None = None
        self._patience_ends: asyncio.TimerHandle | None = None
        self._to_file = False
        self.slow = False
        self.full = False

    # Callbacks for the subclass.

    def congested(self) -> None:
        """The client has become slow, or `full` has changed."""

    def caught_up(self) -> None:
        """The client, which was slow, has taken everything that was buffered."""

    # Methods for the subclass.

    @property
    def waits(self) -> bool:
        """Whether a part of an answer is buffered."""
        return self._spool is not None

    def deliver(self, data: bytes) -> None:
        """Send ``data``, now or when the client has taken what came before."""
        if not self.slow and self._spool is None:
            self.send(data)
            return
        if self.closing:
            return
        if self._spool is None:
            # What the worker had already sent before it was told to wait goes to memory, too.
            self._spool = Spool(self._limits.buffer + 2 * PART, most=self._limits.answer, room=self._room)
        self._spool.keep(data)
        if self.full:
            return
        if not self._to_file and self._spool.held >= self._limits.buffer:
            self._patience_ends = asyncio.get_running_loop().call_later(_GRACE, self._use_file)
            self.full = True
        self.full = self.full or self._spool.full
        if self.full:
            self.congested()

    def discard(self) -> None:
        """Drop what is buffered."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None
        if self._patience_ends is not None:
            self._patience_ends.cancel()
            self._patience_ends = None
        self.full = self._to_file = False

    # Internals.

    def _use_file(self) -> None:
        """The client did not catch up in time: continue in a file."""
        self._patience_ends = None
        if self._spool is not None:
            self._to_file = True
            self.full = self._spool.full
            self.congested()

    # Callbacks from the event loop.

    def pause_writing(self) -> None:
        self.slow = True
        self.congested()

    def resume_writing(self) -> None:
        self.slow = False
        spool = self._spool
        while spool is not None and not self.slow and not self.closing:
            data = spool.take(PART)
            if not spool.held:
                self.discard()
                spool = None
            self.send(data)
        if not self.slow and self._spool is None:
            self.caught_up()

"""An answer on its way to a client that may be slow: what the client does not take yet waits here, not the worker."""

from __future__ import annotations

import asyncio
import ssl

from tlsrun.edge.deadline_channel import Clock, DeadlineChannel
from tlsrun.edge.limits import EdgeLimits
from tlsrun.spool import PART, Room, Spool

_GRACE = 0.05  # seconds in which a client that is only a bit slower than the worker has it wait, which costs no file


class Delivery(DeadlineChannel):
    """A channel through which answers are sent as fast as they come, or as fast as the client takes them.

    Nothing is ever held back from a client that takes it.

    Arguments:
        context, seconds, clock: see `DeadlineChannel`.
        limits: of what waits.
        room: for what waits, shared by all clients.

    Attributes:
        slow: the client does not take what is sent.
        full: so much waits that whoever makes the answer has to wait, too.
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

    # What a subclass does.

    def congested(self) -> None:
        """The client is slow from now on, or `full` has changed."""

    def caught_up(self) -> None:
        """The client has taken all that waited, after a time in which it was slow."""

    # What a subclass calls.

    @property
    def waits(self) -> bool:
        """Whether a part of an answer waits for the client to take what was sent before."""
        return self._spool is not None

    def deliver(self, data: bytes) -> None:
        """Send ``data`` as soon as the client takes it."""
        if not self.slow and self._spool is None:
            self.send(data)
            return
        if self.closing:
            return
        if self._spool is None:
            # What the worker has sent already when it is told to wait belongs into memory, too.
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
        """Let go of what waits."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None
        if self._patience_ends is not None:
            self._patience_ends.cancel()
            self._patience_ends = None
        self.full = self._to_file = False

    # Within.

    def _use_file(self) -> None:
        """The client is slow indeed."""
        self._patience_ends = None
        if self._spool is not None:
            self._to_file = True
            self.full = self._spool.full
            self.congested()

    # What the event loop calls.

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

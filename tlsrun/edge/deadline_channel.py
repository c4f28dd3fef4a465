"""Which side of a connection has to act next, and by when."""

from __future__ import annotations

import ssl
from typing import Protocol

from tlsrun.edge.channel import Channel

# Who has to act next: the worker, the client that sends a body, the client that takes what is sent.
WORKER, SENDER, READER = range(3)


class Clock(Protocol):
    """A clock that is read now and then: reading the real one for each request costs too much."""

    @property
    def now(self) -> float:
        """Seconds on the loop's clock, slightly ahead, so that no deadline computed from it comes too early."""


class DeadlineChannel(Channel):
    """A channel with a deadline.

    Arguments:
        context, seconds, patience: see `Channel`.
        clock: see `Clock`.

    Attributes:
        deadline: when the time is up; `tlsrun.edge.deadlines` checks it.
        awaited: who is to act next.
        came: bytes received of a request's body.
        mark: what `moved` was when the deadline was set, to tell a slow peer from a stalled one.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        seconds: float,
        patience: int,
        clock: Clock,
    ) -> None:
        super().__init__(context, seconds, patience)
        self._clock = clock
        self.deadline = 0.0
        self.awaited = READER
        self.came = 0
        self.mark = 0

    def set_deadline(self, seconds: float) -> None:
        """Set the deadline to ``seconds`` from now."""
        self.deadline = self._clock.now + seconds

    def watch(self, awaited: int, seconds: float) -> None:
        """Set the deadline for ``awaited``, who is to act from now on."""
        self.awaited = awaited
        self.mark = self.moved()
        self.deadline = self._clock.now + seconds

    def moved(self) -> int:
        """Bytes by which a stall is judged: those that the client took, or those of the body that it sent."""
        return self.came if self.awaited == SENDER else self.taken()

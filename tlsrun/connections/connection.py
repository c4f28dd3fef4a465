"""One client on its way through TLS to a whole request head: what it did, and what it waits for next; never blocks.

    OPENING ──► HANDSHAKE ──► HEAD ──► (BODY ──►) RUNNING (the server's) ──► (FLUSHING ──►) IDLE ──► HEAD …
       └────────────┴──► CLOSING                                                └──► CLOSING

OPENING (see `tlsrun.connections.opening`) and HANDSHAKE share one deadline, counted from the connection's begin; HEAD
has its own, counted from the handshake's end or, later, from the first byte of a request. A client that drips bytes
stretches neither. In BODY and FLUSHING a client has ``patience`` seconds to send, or to take, some more.
"""

from __future__ import annotations

import functools
import math
import ssl
import time
from collections.abc import Callable

from tlsrun.connections.arrival import AT_ONCE, Arrival
from tlsrun.connections.lingering import LingeringSocket
from tlsrun.connections.output_buffer import OutputSink
from tlsrun.connections.presence import Presence, has_waited, presence_of, seconds_to_answer, understands_the_question
from tlsrun.connections.read_ahead import MIN_RATE
from tlsrun.connections.request_socket import RequestSocket
from tlsrun.connections.stages import ConnectionLimits, Next, State
from tlsrun.spool import Spool

_IN_MEMORY = 131072  # bytes of a body that was read ahead; more of them are in a file


class Connection(Arrival):
    """One client.

    Arguments:
        sock: as it was accepted; a `RequestSocket` once TLS has begun.
        address: the client's; a proxy's until it has said whose it is.
        listener: where it came in.
        context: makes the `RequestSocket`.
        loop: takes the descriptor over when the server has closed the socket, to see the client off, and sends answers.

    Attributes:
        deadline: on the monotonic clock.
        tag: for the server to keep what it likes.
    """

    __slots__ = ()

    @classmethod
    def closing(cls, descriptor: int, limits: ConnectionLimits) -> Connection:
        """A connection that was shut down: only its client's close is waited for; the descriptor never blocks."""
        connection = cls(LingeringSocket(descriptor), None, None, None, limits, None)
        connection.state = State.CLOSING
        connection.deadline = time.monotonic() + limits.linger
        return connection

    def advance(self) -> Next:
        """Do what can be done without waiting."""
        try:
            return _MOVES[self.state](self)
        except (ssl.SSLWantReadError, BlockingIOError):
            return Next.READ
        except ssl.SSLWantWriteError:
            return Next.WRITE
        except (OSError, ValueError) as error:
            return self._fail(error)

    def reuse(self, seconds: float) -> Next:
        """The request is answered, and another may begin within ``seconds``."""
        sock: RequestSocket = self.sock
        sock.setblocking(False)
        if sock.has_head(self._limits.max_head):
            return self._begin_body()
        if sock.pending():
            return self._expect_head()
        self.state = State.IDLE
        self.deadline = time.monotonic() + seconds
        return Next.READ

    def still_wanted(self) -> Next:
        """The turn of a request has come that was handed over: whether its client still waits for the answer.

        Returns:
            NOTHING to be waited for when it does, as far as is known; READ when it was asked, and `deadline` is when to
            go on; END when it has gone.
        """
        asked, self.state = self.state is State.ASKED, State.RUNNING
        if not asked and not has_waited(self._ready_since):
            return Next.NOTHING
        presence = presence_of(self.sock)
        if presence is Presence.GONE:
            return Next.END
        if presence is Presence.HERE or asked or not understands_the_question(self.sock.seen):
            return Next.NOTHING
        self.state = State.ASKED
        self.deadline = time.monotonic() + seconds_to_answer(self.sock)
        try:
            self.sock.say_continue()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return Next.NOTHING  # it has not read what came before
        except (OSError, ValueError):
            return Next.END
        return Next.READ

    def flush(self, keep: float | None) -> None:
        """The request is answered, but its client has not taken all of it.

        Arguments:
            keep: seconds in which another request may begin then; None to say goodbye instead.
        """
        self.state = State.FLUSHING
        self._keep = keep
        self._allow()
        self.sock.setblocking(False)

    def hurry(self, seconds: float) -> None:
        """It has ``seconds`` at most, unless it takes an answer."""
        if self.state is State.FLUSHING:
            self._keep = None if self._keep is None else min(self._keep, seconds)
        else:
            self.deadline = min(self.deadline, time.monotonic() + seconds)

    def drop(self) -> None:
        """Close; nobody shall take for whole what is not."""
        if self.state is State.FLUSHING:
            self.sock.abort()
        self.sock.close()

    # -- moves ------------------------------------------------------------------------------------------------

    def _expect_head(self) -> Next:
        self._opening = None
        self.state = State.HEAD
        self.deadline = time.monotonic() + self._limits.head_timeout
        return self._head()

    def _head(self) -> Next:
        sock: RequestSocket = self.sock
        while not sock.has_head(self._limits.max_head):
            if not sock.read_ahead():
                return Next.END
        return self._begin_body()

    def _begin_body(self) -> Next:
        sock: RequestSocket = self.sock
        self._awaited = self._limits.awaited and self._limits.awaited(sock.seen)
        if self._awaited is None:
            return self._ready()
        self.state = State.BODY
        self._body = Spool(_IN_MEMORY, most=self._limits.max_body, room=self._loop.bodies if self._loop else None)
        self._allow()
        if self._awaited.expects:
            sock.say_continue()
        return self._receive_body()

    def _receive_body(self) -> Next:
        assert self._awaited is not None and self._body is not None  # noqa: S101, PT018 -- `_begin_body` made them
        for _ in range(AT_ONCE):
            data = self.sock.collect(self._body)
            now = time.monotonic()
            self.deadline = min(now + (self._limits.patience or math.inf), self.deadline + len(data) / MIN_RATE)
            # At the end of the stream it is the server's to say that the body broke off.
            if not data or self._awaited.feed(data) or self._body.full:
                self._awaited = self._body = None
                return self._ready()
        return Next.READ

    def _ready(self) -> Next:
        self.state = State.RUNNING
        self._ready_since = time.monotonic()
        self.sock.hand_over()
        return Next.NOTHING

    def _flush(self) -> Next:
        """Send what waits of an answer."""
        sock: RequestSocket = self.sock
        output_buffer = sock.output_buffer
        assert output_buffer is not None  # noqa: S101 -- what waits is in there
        before = output_buffer.moved
        try:
            if not output_buffer.pour():
                return Next.WRITE
        finally:
            if output_buffer.moved > before:
                self._allow()
        if self._keep is not None:
            return self.reuse(self._keep)
        sock.close_notify()
        return self._leave()

    def _allow(self) -> None:
        """The client has ``patience`` seconds from now."""
        self.deadline = time.monotonic() + (self._limits.patience or math.inf)

    def _sink(self) -> OutputSink | None:
        loop = self._loop
        if loop is None:
            return None
        return OutputSink(
            flow=functools.partial(loop.flow, self), leave=functools.partial(loop.leave, self),
            most=self._limits.max_answer, room=loop.answers,
        )  # fmt: skip

    def _idle(self) -> Next:
        # Not every TLS record is part of a request (KeyUpdate: RFC 8446, section 4.6.3).
        if not self.sock.read_ahead():
            return Next.END
        return self._expect_head()


_MOVES: dict[State, Callable[[Connection], Next]] = {
    State.OPENING: Connection._open,
    State.HANDSHAKE: Connection._handshake,
    State.HEAD: Connection._head,
    State.BODY: Connection._receive_body,
    State.FLUSHING: Connection._flush,
    State.IDLE: Connection._idle,
    State.CLOSING: Connection._closing,
}

"""A connection as a state machine, from the handshake to a whole request head and back; it never blocks.

    OPENING ──► HANDSHAKE ──► HEAD ──► (BODY ──►) RUNNING (the server's) ──► (FLUSHING ──►) IDLE ──► HEAD …
       └────────────┴──► CLOSING                                                └──► CLOSING

OPENING (see `tlsrun.connections.opening`) and HANDSHAKE share one deadline, counted from accept(); HEAD
has its own, counted from the handshake's end or, later, from the first byte of a request. Sending byte by byte
extends neither. In BODY and FLUSHING a client has ``patience`` seconds to send, or to take, some more.
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

_IN_MEMORY = 131072  # bytes of a body read ahead that are held in memory; the rest goes to a file


class Connection(Arrival):
    """A client's connection.

    Arguments:
        sock: the accepted socket; replaced by a `RequestSocket` once TLS begins.
        address: the client's; the proxy's until its PROXY header names the client.
        listener: the listening socket that accepted it.
        context: makes the `RequestSocket`.
        loop: does the lingering close after the server has closed the socket, and sends answers to slow clients.

    Attributes:
        deadline: on the monotonic clock.
        tag: for the server's own use.
    """

    __slots__ = ()

    @classmethod
    def closing(cls, descriptor: int, limits: ConnectionLimits) -> Connection:
        """A connection that was shut down and only waits for its client to close; ``descriptor`` is non-blocking."""
        connection = cls(LingeringSocket(descriptor), None, None, None, limits, None)
        connection.state = State.CLOSING
        connection.deadline = time.monotonic() + limits.linger
        return connection

    def advance(self) -> Next:
        """Make progress without blocking; returns what to wait for."""
        try:
            return _MOVES[self.state](self)
        except (ssl.SSLWantReadError, BlockingIOError):
            return Next.READ
        except ssl.SSLWantWriteError:
            return Next.WRITE
        except (OSError, ValueError) as error:
            return self._fail(error)

    def reuse(self, seconds: float) -> Next:
        """The request is answered: wait up to ``seconds`` for the next one (keep-alive)."""
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
        """Check, when a queued request's turn has come, whether its client still waits for the answer.

        Returns:
            NOTHING if it does, as far as is known; READ if it was sent a probe, whose result is due at `deadline`; END
            if it has gone.
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
        """The request is answered, but its client has not taken all of the answer yet.

        Arguments:
            keep: seconds to wait for the next request afterwards; None to close instead.
        """
        self.state = State.FLUSHING
        self._keep = keep
        self._allow()
        self.sock.setblocking(False)

    def hurry(self, seconds: float) -> None:
        """Limit the deadline to ``seconds`` from now, unless the client is taking an answer."""
        if self.state is State.FLUSHING:
            self._keep = None if self._keep is None else min(self._keep, seconds)
        else:
            self.deadline = min(self.deadline, time.monotonic() + seconds)

    def drop(self) -> None:
        """Close; a half-sent answer is aborted, so that the client cannot take it for complete."""
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
            # At the end of the stream the server will report that the body broke off.
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
        """Send the buffered rest of an answer."""
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
        """Set the deadline to ``patience`` seconds from now."""
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

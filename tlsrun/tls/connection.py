"""One client on its way through TLS to a whole request head: what it did, and what it waits for next; never blocks.

    (PROXY ──►) HELLO ──► HANDSHAKE ──► HEAD ──► (BODY ──►) RUNNING (the server's) ──► (FLUSHING ──►) IDLE ──► HEAD …
                  └─► PLAIN ─► CLOSING                                                     └─► CLOSING

PROXY (the header by which a trusted proxy says who the client is), HELLO, HANDSHAKE and PLAIN share one deadline,
counted from the connection's begin; HEAD has its own, counted from the handshake's end or, later, from the first byte
of a request. A client that drips bytes stretches neither. In BODY and FLUSHING a client has ``patience`` seconds to
send, or to take, some more.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import logging
import math
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from tlsrun.spool import Room, Spool
from tlsrun.tls import plain, proxy_protocol
from tlsrun.tls.handshake import FAILURES, reason
from tlsrun.tls.introduction import is_introduced, take
from tlsrun.tls.outbox import Outlet
from tlsrun.tls.presence import Presence, has_waited, presence_of, seconds_to_answer, understands_the_question
from tlsrun.tls.remains import Remains
from tlsrun.tls.request_socket import MIN_RATE, RequestSocket
from tlsrun.tls.server_context import ServerContext
from tlsrun.tls.sockets import FIRST_BYTES, nobody


class Awaited(Protocol):
    """The rest of a request's body, which is waited for before the request is handed over."""

    expects: bool
    """Whether the client waits to be told to send it."""

    def feed(self, data: bytes) -> bool:
        """More has come; whether nothing more is to be waited for."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long and how much.

    Arguments:
        handshake_timeout: seconds for a whole handshake.
        head_timeout: seconds for a whole request head.
        patience: seconds a running request may wait for its client (see `RequestSocket`); None for ever.
        linger: seconds for a client to close after it was told goodbye.
        max_head: bytes of a request head; a longer one is handed over as it is, for the server to refuse.
        awaited: says, from a head and what came behind it, what of a body is to be waited for; None for nothing.
        max_body: bytes of a body that are waited for; the thread reads the others.
        max_answer: bytes of an answer that the loop sends when its client is slow; the thread waits for the others.
        room: bytes of all bodies, and as many of all answers, that wait at once.
    """

    handshake_timeout: float = 10.0
    head_timeout: float = 10.0
    patience: float | None = 30.0
    linger: float = 2.0
    max_head: int = 1 << 20
    awaited: Callable[[bytes], Awaited | None] | None = None
    max_body: int = 1 << 23
    max_answer: int = 1 << 24
    room: int = 1 << 28


class State(enum.Enum):
    """Where a connection is."""

    PROXY = "about to say who its client is"
    HELLO = "before its first byte"
    HANDSHAKE = "in the handshake"
    PLAIN = "sending a request without TLS"
    HEAD = "sending a request head"
    BODY = "sending the body of a request"
    IDLE = "kept alive"
    RUNNING = "handed over"
    ASKED = "handed over, and asked whether it still waits for its answer"
    FLUSHING = "taking the rest of an answer"
    CLOSING = "being seen off"


class Next(enum.Enum):
    """What a connection waits for."""

    READ = "something to read"
    WRITE = "room to write"
    NOTHING = "nothing: a whole head is there"
    END = "nothing: it is over"


class Loop(Protocol):
    """What moves connections on; see `tlsrun.tls.reactor.Reactor`."""

    bodies: Room
    answers: Room

    def see_off(self, descriptor: int) -> None:
        """Wait for the client of a connection that was shut down to close it."""

    def flow(self, connection: Connection, flows: bool) -> None:
        """Begin, or cease, to send what waits of an answer."""

    def leave(self, connection: Connection) -> bool:
        """See the client off once nothing of its answer waits; False when nothing does now."""


#: What a client may still send after the end, in bytes, before it is cut off: an upload that nobody reads, and whose
#: client reads no answer before it has sent all. A reset would take the answer away.
_LAST_WORDS = 1 << 24
#: Reads of them, or of a body, before others have their turn.
_AT_ONCE = 16
_IN_MEMORY = 131072  # bytes of a body that was read ahead; more of them are in a file
_BEFORE_TLS = frozenset({State.PROXY, State.HELLO, State.HANDSHAKE, State.PLAIN})


class Connection:
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

    __slots__ = (
        "_awaited", "_body", "_context", "_first", "_head_in_plain", "_introduction", "_keep", "_limits", "_loop",
        "_ready_since", "_rest", "address", "deadline", "listener", "sock", "state", "tag", "watched",
    )  # fmt: skip

    def __init__(
        self,
        sock: socket.socket | Remains,
        address: Any,
        listener: Any,
        context: ServerContext | None,
        limits: Limits,
        loop: Loop | None,
    ) -> None:
        self.sock: Any = sock
        self.address = address
        self.listener = listener
        self.state = State.PROXY if is_introduced(context, address) else State.HELLO
        self.deadline = time.monotonic() + limits.handshake_timeout
        self.tag: Any = None
        self.watched = 0
        self._context = context
        self._limits = limits
        self._loop = loop
        self._awaited: Awaited | None = None
        self._body: Spool | None = None
        self._keep: float | None = None
        self._first = b""
        self._introduction = b""
        self._head_in_plain = b""
        self._ready_since = 0.0
        self._rest = _LAST_WORDS

    @classmethod
    def closing(cls, descriptor: int, limits: Limits) -> Connection:
        """A connection that was shut down: only its client's close is waited for; the descriptor never blocks."""
        connection = cls(Remains(descriptor), None, None, None, limits, None)
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

    def expire(self) -> None:
        """The deadline has passed: say so, if it was the handshake's."""
        if self.state in _BEFORE_TLS:
            self._log(TimeoutError())

    def give_way(self) -> None:
        """A newer connection gets its place: say so, if it had no use yet."""
        if self.state in _BEFORE_TLS:
            FAILURES.failed(self.address, "it gave way to newer connections: too many wait at once")

    # -- moves ------------------------------------------------------------------------------------------------

    def _proxy(self) -> Next:
        found = None
        while found is None:
            self._introduction, found = take(self.sock, self._introduction)
        self.address = found.source or self.address
        self._introduction = b""
        self.state = State.HELLO
        return self._hello()

    def _hello(self) -> Next:
        self._first = self.sock.recv(FIRST_BYTES, socket.MSG_PEEK)
        if not self._first:
            raise ConnectionResetError
        if plain.kind_of(self._first) is not plain.First.TLS:
            self.state = State.PLAIN
            return self._plain()
        assert self._context is not None  # noqa: S101 -- for the type checker: only `closing` goes without
        sock = cast(RequestSocket, self._context.wrap_accepted(self.sock))
        sock.begin(self._limits.patience, None if self._loop is None else self._loop.see_off, self._outlet())
        self.sock = sock
        self.state = State.HANDSHAKE
        sock.do_handshake()
        return self._expect_head()

    def _handshake(self) -> Next:
        # The client's last flight: mostly its request comes with it, and session tickets share the answer's packet.
        sock: RequestSocket = self.sock
        sock.gather()
        try:
            sock.do_handshake()
            return self._expect_head()
        except OSError:
            sock.let_go()
            raise

    def _expect_head(self) -> Next:
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
        for _ in range(_AT_ONCE):
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
        outbox = sock.outbox
        assert outbox is not None  # noqa: S101 -- what waits is in there
        before = outbox.moved
        try:
            if not outbox.pour():
                return Next.WRITE
        finally:
            if outbox.moved > before:
                self._allow()
        if self._keep is not None:
            return self.reuse(self._keep)
        sock.close_notify()
        return self._leave()

    def _allow(self) -> None:
        """The client has ``patience`` seconds from now."""
        self.deadline = time.monotonic() + (self._limits.patience or math.inf)

    def _outlet(self) -> Outlet | None:
        loop = self._loop
        if loop is None:
            return None
        return Outlet(
            flow=functools.partial(loop.flow, self), leave=functools.partial(loop.leave, self),
            most=self._limits.max_answer, room=loop.answers,
        )  # fmt: skip

    def _idle(self) -> Next:
        # Not every TLS record is part of a request (KeyUpdate: RFC 8446, section 4.6.3).
        if not self.sock.read_ahead():
            return Next.END
        return self._expect_head()

    def _plain(self) -> Next:
        data = self.sock.recv(plain.MAX_HEAD - len(self._head_in_plain))
        if not data:
            raise ConnectionResetError
        self._head_in_plain += data
        self._first = self._head_in_plain[:FIRST_BYTES]
        kind = plain.kind_of(self._first)
        if kind is plain.First.INCOMPLETE or (
            kind is plain.First.HTTP and not plain.head_is_whole(self._head_in_plain)
        ):
            return Next.READ
        self._log(ssl.SSLError("not TLS"))
        allowed = nobody if self._context is None else self._context.allowed_host
        response = None if kind is plain.First.OTHER else plain.answer(self._head_in_plain, allowed)
        if response is None:
            return Next.END
        # It is small, and the first that is sent: it has room.
        self.sock.send(response)
        return self._leave()

    def _leave(self) -> Next:
        """Say that nothing more comes, and wait for the client to have read it (RFC 9112, section 9.6)."""
        if isinstance(self.sock, RequestSocket):
            family, kind, proto = self.sock.family, self.sock.type, self.sock.proto
            self.sock = socket.socket(family, kind, proto, fileno=self.sock.detach())
            self.sock.setblocking(False)
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
        self.state = State.CLOSING
        self.deadline = time.monotonic() + self._limits.linger
        return Next.READ

    def _closing(self) -> Next:
        for _ in range(_AT_ONCE):
            data = self.sock.recv(1 << 16)
            self._rest -= len(data)
            if not data or self._rest <= 0:
                return Next.END
        return Next.READ

    # -- what goes wrong --------------------------------------------------------------------------------------

    def _fail(self, error: Exception) -> Next:
        if self.state not in _BEFORE_TLS:
            return Next.END
        self._log(error)
        # OpenSSL has sent an alert, which a reset would overtake.
        told = isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError)
        return self._leave() if told else Next.END

    def _log(self, error: Exception) -> None:
        if isinstance(error, proxy_protocol.Malformed):
            FAILURES.failed(self.address, str(error))
            return
        why = reason(error, self._first, timeout=self._limits.handshake_timeout)
        why = why if self._first else f"{why}, without a byte"
        # Who closes without a word looked whether the port is open, or changed his mind.
        looked = not self._first and not isinstance(error, TimeoutError)
        FAILURES.failed(self.address, why, level=logging.DEBUG if looked else logging.INFO)


_MOVES: dict[State, Callable[[Connection], Next]] = {
    State.PROXY: Connection._proxy,
    State.HELLO: Connection._hello,
    State.HANDSHAKE: Connection._handshake,
    State.PLAIN: Connection._plain,
    State.HEAD: Connection._head,
    State.BODY: Connection._receive_body,
    State.FLUSHING: Connection._flush,
    State.IDLE: Connection._idle,
    State.CLOSING: Connection._closing,
}

"""One client on its way through TLS to a whole request head: what it did, and what it waits for next; never blocks.

    (PROXY ──►) HELLO ──► HANDSHAKE ──► HEAD ──► RUNNING (the server's) ──► IDLE ──► HEAD …
                  └─► PLAIN ─► CLOSING

PROXY (the header by which a trusted proxy says who the client is), HELLO, HANDSHAKE and PLAIN share one deadline,
counted from the connection's begin; HEAD has its own, counted from the handshake's end or, later, from the first byte
of a request. A client that drips bytes stretches neither.
"""

from __future__ import annotations

import contextlib
import enum
import logging
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from tlsrun.tls import plain, proxy_protocol
from tlsrun.tls.handshake import FAILURES, reason
from tlsrun.tls.introduction import is_introduced, take
from tlsrun.tls.remains import Remains
from tlsrun.tls.request_socket import RequestSocket
from tlsrun.tls.server_context import ServerContext
from tlsrun.tls.sockets import FIRST_BYTES, nobody


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long and how much.

    Arguments:
        handshake_timeout: seconds for a whole handshake.
        head_timeout: seconds for a whole request head.
        patience: seconds a running request may wait for its client (see `RequestSocket`); None for ever.
        linger: seconds for a client to close after it was told goodbye.
        max_head: bytes of a request head; a longer one is handed over as it is, for the server to refuse.
    """

    handshake_timeout: float = 10.0
    head_timeout: float = 10.0
    patience: float | None = 30.0
    linger: float = 2.0
    max_head: int = 1 << 20


class State(enum.Enum):
    """Where a connection is."""

    PROXY = "about to say who its client is"
    HELLO = "before its first byte"
    HANDSHAKE = "in the handshake"
    PLAIN = "sending a request without TLS"
    HEAD = "sending a request head"
    IDLE = "kept alive"
    RUNNING = "handed over"
    CLOSING = "being seen off"


class Next(enum.Enum):
    """What a connection waits for."""

    READ = "something to read"
    WRITE = "room to write"
    NOTHING = "nothing: a whole head is there"
    END = "nothing: it is over"


#: What a client may still send after the end, in bytes, before it is cut off: an upload that nobody reads, and whose
#: client reads no answer before it has sent all. A reset would take the answer away.
_LAST_WORDS = 1 << 24
#: Reads of them before others have their turn.
_AT_ONCE = 16
_BEFORE_TLS = frozenset({State.PROXY, State.HELLO, State.HANDSHAKE, State.PLAIN})


class Connection:
    """One client.

    Arguments:
        sock: as it was accepted; a `RequestSocket` once TLS has begun.
        address: the client's; a proxy's until it has said whose it is.
        listener: where it came in.
        context: makes the `RequestSocket`.
        retire: takes the descriptor over when the server has closed the socket, to see the client off.

    Attributes:
        deadline: on the monotonic clock.
        tag: for the server to keep what it likes.
    """

    __slots__ = (
        "_context", "_first", "_head_in_plain", "_introduction", "_limits", "_rest", "_retire",
        "address", "deadline", "listener", "sock", "state", "tag", "watched",
    )  # fmt: skip

    def __init__(
        self,
        sock: socket.socket | Remains,
        address: Any,
        listener: Any,
        context: ServerContext | None,
        limits: Limits,
        retire: Callable[[int], None] | None,
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
        self._retire = retire
        self._first = b""
        self._introduction = b""
        self._head_in_plain = b""
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
            return self._ready()
        if sock.pending():
            return self._expect_head()
        self.state = State.IDLE
        self.deadline = time.monotonic() + seconds
        return Next.READ

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
        sock.begin(self._limits.patience, self._retire)
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
        return self._ready()

    def _ready(self) -> Next:
        self.state = State.RUNNING
        self.sock.hand_over()
        return Next.NOTHING

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
    State.IDLE: Connection._idle,
    State.CLOSING: Connection._closing,
}

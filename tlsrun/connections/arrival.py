"""The begin of a connection, until TLS is there; and the end of those for which it never is."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import time
from typing import Any, cast

from tlsrun.connections.handshake import FAILURES, reason
from tlsrun.connections.outbox import Outlet
from tlsrun.connections.remains import Remains
from tlsrun.connections.request_socket import RequestSocket
from tlsrun.connections.server_context import ServerContext
from tlsrun.connections.shaking import FIRST_BYTES, nobody
from tlsrun.connections.stages import Awaited, Limits, Loop, Next, State
from tlsrun.proxies import proxy_protocol
from tlsrun.proxies.introduction import is_introduced, take
from tlsrun.redirect import plain
from tlsrun.spool import Spool

#: What a client may still send after the end, in bytes, before it is cut off: an upload that nobody reads, and whose
#: client reads no answer before it has sent all. A reset would take the answer away.
_LAST_WORDS = 1 << 24
#: Reads of them, or of a body, before others have their turn.
AT_ONCE = 16
_BEFORE_TLS = frozenset({State.PROXY, State.HELLO, State.HANDSHAKE, State.PLAIN})


class Arrival:
    """One client, before its first request; see `tlsrun.connections.connection.Connection`.

    Arguments:
        sock: as it was accepted; a `RequestSocket` once TLS has begun.
        address: the client's; a proxy's until it has said whose it is.
        listener: where it came in.
        context: makes the `RequestSocket`.
        loop: takes the descriptor over when the server has closed the socket, to see the client off, and sends answers.
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

    # -- what follows, by the subclass ------------------------------------------------------------------------

    def _expect_head(self) -> Next:
        """TLS is there: a request may come."""
        raise NotImplementedError

    def _outlet(self) -> Outlet | None:
        """How answers leave by the loop."""
        raise NotImplementedError

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
        for _ in range(AT_ONCE):
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

    def expire(self) -> None:
        """The deadline has passed: say so, if it was the handshake's."""
        if self.state in _BEFORE_TLS:
            self._log(TimeoutError())

    def give_way(self) -> None:
        """A newer connection gets its place: say so, if it had no use yet."""
        if self.state in _BEFORE_TLS:
            FAILURES.failed(self.address, "it gave way to newer connections: too many wait at once")

    def _log(self, error: Exception) -> None:
        if isinstance(error, proxy_protocol.Malformed):
            FAILURES.failed(self.address, str(error))
            return
        why = reason(error, self._first, timeout=self._limits.handshake_timeout)
        why = why if self._first else f"{why}, without a byte"
        # Who closes without a word looked whether the port is open, or changed his mind.
        looked = not self._first and not isinstance(error, TimeoutError)
        FAILURES.failed(self.address, why, level=logging.DEBUG if looked else logging.INFO)

"""A connection's opening and its close, on a non-blocking socket: drives `tlsrun.connections.opening`."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any, cast

from tlsrun.connections.handshake import FAILURES
from tlsrun.connections.lingering import LingeringSocket
from tlsrun.connections.opening import SIGHT, Opening, OpeningStep, Then
from tlsrun.connections.output_buffer import OutputSink
from tlsrun.connections.request_socket import RequestSocket
from tlsrun.connections.server_context import ServerContext
from tlsrun.connections.stages import ConnectionLimits, Loop, Next, PendingBody, State
from tlsrun.spool import Spool

#: Bytes that are discarded during the lingering close before the client is cut off: an upload that nobody reads, from a
#: client that reads no answer before it has sent all. A reset would destroy the answer.
_LAST_WORDS = 1 << 24
AT_ONCE = 16  #: reads in a row, of these or of a body, before other connections get a turn


class Arrival:
    """A connection before its first request; see `tlsrun.connections.connection.Connection`."""

    __slots__ = (
        "_awaited", "_body", "_context", "_keep", "_limits", "_loop", "_opening", "_ready_since", "_rest", "address",
        "deadline", "listener", "sock", "state", "tag", "watched",
    )  # fmt: skip

    def __init__(
        self,
        sock: socket.socket | LingeringSocket,
        address: Any,
        listener: Any,
        context: ServerContext | None,
        limits: ConnectionLimits,
        loop: Loop | None,
    ) -> None:
        self.sock: Any = sock
        self.address = address
        self.listener = listener
        self.state = State.OPENING
        self.deadline = time.monotonic() + limits.handshake_timeout
        self.tag: Any = None
        self.watched = 0
        self._opening: Opening | None = None if context is None else Opening(context, address, limits.handshake_timeout)
        self._context = context
        self._limits = limits
        self._loop = loop
        self._awaited: PendingBody | None = None
        self._body: Spool | None = None
        self._keep: float | None = None
        self._ready_since = 0.0
        self._rest = _LAST_WORDS

    # -- for the subclass to define ----------------------------------------------------------------------------

    def _expect_head(self) -> Next:
        """The handshake is done: expect a request."""
        raise NotImplementedError

    def _sink(self) -> OutputSink | None:
        """Where the loop takes over sending answers; None without a loop."""
        raise NotImplementedError

    # -- moves ------------------------------------------------------------------------------------------------

    def _open(self) -> Next:
        opening, context = self._opening, self._context
        assert opening is not None and context is not None  # noqa: S101, PT018 -- only `closing` goes without
        step = OpeningStep()
        while step.then is Then.READ:
            step = opening.see(self.sock.recv(SIGHT, socket.MSG_PEEK))
            if step.take:
                self.sock.recv(step.take)
        self.address = opening.peer
        if step.then is not Then.SHAKE:
            return self._part(step)
        sock = cast(RequestSocket, context.wrap_accepted(self.sock))
        sock.begin(self._limits.patience, None if self._loop is None else self._loop.see_off, self._sink())
        self.sock = sock
        self.state = State.HANDSHAKE
        sock.do_handshake()
        return self._expect_head()

    def _handshake(self) -> Next:
        # With the client's last flight usually comes its request; cork, so that tickets share a packet with the answer.
        sock: RequestSocket = self.sock
        sock.gather()
        try:
            sock.do_handshake()
            return self._expect_head()
        except OSError:
            sock.let_go()
            raise

    def _leave(self) -> Next:
        """Shut down our sending side and wait for the client to close: lingering close (RFC 9112, section 9.6)."""
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

    def expire(self) -> None:
        """The deadline has passed: log it, if it was the opening's."""
        if self._opening is not None:
            self._log(self._opening.fail(TimeoutError()))

    def give_way(self) -> None:
        """A newer connection takes its place: log it, if this one was still opening."""
        if self._opening is not None:
            self._log(self._opening.give_way())

    def _fail(self, error: Exception) -> Next:
        return Next.END if self._opening is None else self._part(self._opening.fail(error))

    def _part(self, step: OpeningStep) -> Next:
        """There will be no TLS."""
        self._log(step)
        if step.send:
            self.sock.send(step.send)  # it is small and the first thing sent, so it fits the send buffer
        return self._leave() if step.then is Then.LINGER else Next.END

    def _log(self, step: OpeningStep) -> None:
        self._opening = None
        FAILURES.failed(self.address, step.words, level=step.level)

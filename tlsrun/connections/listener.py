"""A listening socket whose connections are ready to answer: a `Reactor` behind accept().

The thread that calls `TLSListener.accept` moves the connections on while it waits for one that is ready: two threads
that take turns at the interpreter cost more than what is done for a small request. While that thread answers a
request that takes long, a second one, the lookout, moves the others on.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tlsrun.connections.connection import Connection
from tlsrun.connections.reactor import Reactor
from tlsrun.connections.request_socket import RequestSocket
from tlsrun.connections.server_context import ServerContext
from tlsrun.connections.stages import Limits

_PATIENCE = 0.05  # seconds that a request may keep the others waiting, and as many more until that is noticed
_UNMOVED = 4  # looks without anything to see, after which the lookout rests
_STEP = 0.5  # seconds that one step of the lookout waits at most
_POLL = 0.05


class TLSListener:
    """Poses as a listening socket, for a server that answers one request at a time.

    What `accept` gives has shaken hands and has a whole request head to read. A call of `accept` says that the
    request before is over; until then no new connection is taken, so that other processes answer them.

    Arguments:
        listeners: the real ones; stay the caller's to close.
        context: for every connection.
        limits: how long things may take.
        max_waiting: connections that wait at once; the oldest makes room for a new one.
        patience: seconds that `accept` waits.
        alarm: a non-blocking descriptor that, when it is readable, is read and ends the waiting of `accept`.
    """

    def __init__(
        self,
        listeners: Sequence[Any],
        context: ServerContext,
        *,
        limits: Limits | None = None,
        max_waiting: int = 1000,
        patience: float = 0.5,
        alarm: int | None = None,
    ) -> None:
        self._current = listeners[0]
        self._patience = patience
        self._ready: collections.deque[Connection] = collections.deque()
        self._alarm = alarm
        self._rung = False
        # The requests that `accept` has given are counted; who looks out sees by it whether it is still the same.
        self._turn = 0
        self._lent = self._ending = False
        self._error: BaseException | None = None
        self._stepping = threading.Lock()
        self._stepped = 0.0
        self._watched = self._helping = False
        self._bell = threading.Lock()  # free when the lookout should look
        self._bell.acquire()
        self._reactor = Reactor(
            listeners, context, self._ready.append, limits=limits or Limits(), capacity=1, max_waiting=max_waiting
        )
        if alarm is not None:
            self._reactor.attend(alarm, self._hear)
        self._lookout = threading.Thread(target=self._look_out, name="tlsrun-lookout", daemon=True)

    def start(self) -> None:
        """Begin; to be called in the process that serves, never in one that will fork."""
        self._lookout.start()

    # -- as a listening socket --------------------------------------------------------------------------------

    def accept(self) -> tuple[RequestSocket, Any]:
        """The next connection and its client's address.

        Raises:
            BlockingIOError: none is ready; the ``patience`` is over, or the alarm was given.
            RuntimeError: the lookout has died.
        """
        connection = self._next(self._patience)
        if connection is None:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return connection.sock, connection.address

    def getsockname(self) -> Any:
        """As that of the real one where the last connection came in."""
        return self._current.getsockname()

    def setblocking(self, flag: bool) -> None:
        """It waits as it was told; for servers that set it otherwise."""

    def _next(self, seconds: float) -> Connection | None:
        self._take_back()
        now = time.monotonic()
        deadline = now + seconds
        if self._ready and now - self._stepped > _PATIENCE:
            # While several are ready nobody waits, and the others want to move on too.
            self._step(0.0)
        while (connection := self._wanted()) is None:
            left = deadline - time.monotonic()
            if self._rung or left < 0:
                self._rung = False
                return None
            self._step(left)
        self._current = connection.listener
        self._turn += 1
        self._lent = True
        if not self._watched:
            self._watched = True
            self._ring()
        return connection

    def _wanted(self) -> Connection | None:
        """The first that is ready, and whose client has not gone meanwhile."""
        while self._ready:
            connection = self._ready.popleft()
            if not self._reactor.takes_back(connection):
                return connection
        return None

    def _step(self, seconds: float) -> None:
        with self._stepping:
            self._reactor.step(seconds)
            self._stepped = time.monotonic()

    def _take_back(self) -> None:
        """The request before is over."""
        if self._error is not None:
            raise RuntimeError("the lookout of the TLS listener has died") from self._error
        if self._lent:
            self._lent = False
            self._reactor.release()
            if self._helping:
                self._reactor.wake()

    def _hear(self) -> None:
        assert self._alarm is not None  # noqa: S101 -- it is what was heard
        with contextlib.suppress(BlockingIOError):
            os.read(self._alarm, 4096)
        self._rung = True

    # -- the end ----------------------------------------------------------------------------------------------

    def stop_accept(self) -> None:
        """Take no new connection from the operating system."""
        self._reactor.stop_accepting()

    def drain(self, seconds: float, alive: Callable[[], None] = lambda: None) -> Iterator[tuple[RequestSocket, Any]]:
        """After `stop_accept`: what had begun, as it becomes ready, for ``seconds`` at most.

        Arguments:
            alive: called again and again meanwhile.
        """
        self._take_back()
        with self._stepping:  # what the lookout is at is done: from now on nothing moves but here
            self._reactor.hurry(seconds)
        deadline = time.monotonic() + seconds
        while self._ready or (self._reactor.coming and time.monotonic() < deadline):
            alive()
            connection = self._next(min(_POLL, deadline - time.monotonic()))
            if connection is not None:
                yield connection.sock, connection.address
        self._take_back()

    def close(self, seconds: float = 0.0, alive: Callable[[], None] = lambda: None, *, flushing: float = 0.0) -> None:
        """Close, after up to ``seconds`` for clients to read their last answers; wait for the lookout's end.

        Arguments:
            alive: called again and again meanwhile.
            flushing: seconds for clients to take answers that are not sent yet; ``seconds`` begin then.
        """
        latest = time.monotonic() + flushing
        while self._reactor.flushing and time.monotonic() < latest and self._error is None:
            alive()
            self._step(min(_POLL, latest - time.monotonic()))
        deadline = time.monotonic() + seconds
        while self._reactor.leaving and time.monotonic() < deadline and self._error is None:
            alive()
            self._step(deadline - time.monotonic())
        self._ending = True
        self._reactor.stop_accepting()
        self._ring()
        if self._lookout.ident is not None:
            self._lookout.join()
        self._reactor.close()

    # -- the lookout ------------------------------------------------------------------------------------------

    def _ring(self) -> None:
        with contextlib.suppress(RuntimeError):  # it was rung already
            self._bell.release()

    def _look_out(self) -> None:
        try:
            while not self._ending:
                self._bell.acquire()
                self._look()
        except BaseException as error:  # noqa: BLE001 -- `accept` raises it: the server cannot go on
            self._error = error

    def _look(self) -> None:
        """Look at requests, as long as there are any, and see that none keeps the others waiting."""
        seen, unmoved = self._turn, 0
        while unmoved < _UNMOVED and not self._ending:
            self._bell.acquire(timeout=_PATIENCE)
            turn = self._turn
            if turn != seen:
                seen, unmoved = turn, 0
            elif self._lent:
                self._help(turn)
            else:
                unmoved += 1
        self._watched = False
        if self._lent or self._turn != seen:
            # A request that has begun meanwhile relies on us.
            self._watched = True
            self._ring()

    def _help(self, turn: int) -> None:
        """Move the others on until that request is over."""
        with self._stepping:
            # First, so that `accept` wakes us: either it sees this, or we see that the request is over.
            self._helping = True
            while self._lent and self._turn == turn and not self._ending:
                self._reactor.step(_STEP)
                self._stepped = time.monotonic()
            self._helping = False

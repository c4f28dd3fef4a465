"""A listening socket whose connections are ready to answer: a `Reactor` behind accept().

The thread that calls `TLSListener.accept` drives the reactor while it waits for a connection that is ready: handing
the interpreter back and forth between two threads costs more than a small request does. While that thread answers a
long request, the monitor's thread drives the reactor.
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
from tlsrun.connections.stages import ConnectionLimits
from tlsrun.threads.monitor import Monitor

_PATIENCE = 0.05  # seconds that a request may keep the others waiting; it may take as long again until it is noticed
_STEP = 0.5  # seconds that one step of the reactor in the monitor's thread waits at most
_POLL = 0.05


class TLSListener:
    """Acts as a listening socket, for a server that answers one request at a time.

    A connection that `accept` returns has finished its handshake and has a whole request head to read. Calling `accept`
    means that the previous request is over; until then no new connection is accepted, so that other processes take it.

    Arguments:
        listeners: the real listening sockets; the caller closes them.
        context: makes the TLS side of every connection.
        limits: timeouts and sizes.
        max_waiting: how many connections may wait at once; beyond it the oldest is closed for a new one.
        patience: seconds that `accept` waits.
        alarm: a non-blocking descriptor; when it becomes readable it is drained, and `accept` returns.
    """

    def __init__(
        self,
        listeners: Sequence[Any],
        context: ServerContext,
        *,
        limits: ConnectionLimits | None = None,
        max_waiting: int = 1000,
        patience: float = 0.5,
        alarm: int | None = None,
    ) -> None:
        self._current = listeners[0]
        self._patience = patience
        self._ready: collections.deque[Connection] = collections.deque()
        self._alarm = alarm
        self._rung = False
        self._turn = 0  # of the request that `accept` returned last; 0 when it is over
        self._stepping = threading.Lock()  # held by the thread that drives the reactor
        self._stepped = 0.0
        self._asked = self._ending = False  # the monitor's thread must give the reactor back to `accept`; must end
        self._monitor = Monitor(self._step_meanwhile, patience=_PATIENCE)
        self._reactor = Reactor(
            listeners,
            context,
            self._ready.append,
            limits=limits or ConnectionLimits(),
            capacity=1,
            max_waiting=max_waiting,
        )
        if alarm is not None:
            self._reactor.attend(alarm, self._hear)

    def start(self) -> None:
        """Start the monitor: in the process that serves, never in one that will fork."""
        self._monitor.start()

    # -- as a listening socket --------------------------------------------------------------------------------

    def accept(self) -> tuple[RequestSocket, Any]:
        """The next connection and its client's address.

        Raises:
            BlockingIOError: none became ready within ``patience``, or the alarm went off.
            RuntimeError: the reactor failed in the monitor's thread.
        """
        connection = self._next(self._patience)
        if connection is None:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return connection.sock, connection.address

    def getsockname(self) -> Any:
        """As getsockname of the real listener that accepted the last connection."""
        return self._current.getsockname()

    def setblocking(self, flag: bool) -> None:
        """Does nothing: ``patience`` says how long `accept` waits. For servers that set this on their listeners."""

    def _next(self, seconds: float) -> Connection | None:
        self._take_back()
        now = time.monotonic()
        deadline = now + seconds
        if self._ready and now - self._stepped > _PATIENCE:
            # While several are ready, nobody waits in the reactor, and the other connections would starve.
            self._step(0.0)
        while (connection := self._wanted()) is None:
            left = deadline - time.monotonic()
            if self._rung or left < 0:
                self._rung = False
                return None
            self._step(left)
        self._current = connection.listener
        self._turn = self._monitor.begin()
        return connection

    def _wanted(self) -> Connection | None:
        """The first ready connection whose client has not gone meanwhile."""
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
        """The previous request is over: take the reactor back from the monitor's thread."""
        if self._monitor.error is not None:
            raise RuntimeError("the thread that moves TLS connections on has died") from self._monitor.error
        if not self._turn:
            return
        leads = self._monitor.end(self._turn)
        self._reactor.release()
        if not leads:
            self._asked = True
            self._reactor.wake()
            with self._stepping:
                self._asked = False
        self._turn = 0

    def _step_meanwhile(self, turn: int) -> bool:
        """In the monitor's thread: drive the reactor until the request of that turn is over."""
        if not self._stepping.acquire(blocking=False):
            return False
        try:
            if self._monitor.end(turn):
                while not (self._asked or self._ending):
                    self._reactor.step(_STEP)
                    self._stepped = time.monotonic()
        finally:
            self._stepping.release()
        return True

    def _hear(self) -> None:
        assert self._alarm is not None  # noqa: S101 -- the reactor watches it only where there is one
        with contextlib.suppress(BlockingIOError):
            os.read(self._alarm, 4096)
        self._rung = True

    # -- the end ----------------------------------------------------------------------------------------------

    def stop_accept(self) -> None:
        """Stop accepting connections."""
        self._reactor.stop_accepting()

    def drain(self, seconds: float, alive: Callable[[], None] = lambda: None) -> Iterator[tuple[RequestSocket, Any]]:
        """After `stop_accept`: yield requests that had begun, as they become ready, for ``seconds`` at most.

        Arguments:
            alive: called repeatedly meanwhile, for a watchdog.
        """
        self._take_back()
        with self._stepping:
            self._reactor.hurry(seconds)
        deadline = time.monotonic() + seconds
        while self._ready or (self._reactor.coming and time.monotonic() < deadline):
            alive()
            connection = self._next(min(_POLL, deadline - time.monotonic()))
            if connection is not None:
                yield connection.sock, connection.address
        self._take_back()

    def close(self, seconds: float = 0.0, alive: Callable[[], None] = lambda: None, *, flushing: float = 0.0) -> None:
        """Close, after waiting up to ``seconds`` for clients to read their last answers; joins the monitor's thread.

        Arguments:
            alive: called repeatedly meanwhile, for a watchdog.
            flushing: seconds for clients to take answers that are not sent yet; ``seconds`` start after that.
        """
        latest = time.monotonic() + flushing
        while self._reactor.flushing and time.monotonic() < latest and self._monitor.error is None:
            alive()
            self._step(min(_POLL, latest - time.monotonic()))
        deadline = time.monotonic() + seconds
        while self._reactor.leaving and time.monotonic() < deadline and self._monitor.error is None:
            alive()
            self._step(deadline - time.monotonic())
        self._ending = True
        self._reactor.stop_accepting()
        self._monitor.stop(wait=True)
        self._reactor.close()

"""The built-in server's threads: one leads and answers kept connections, each new connection has its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from tlsrun import system
from tlsrun.polling.poller import READ, new_poller
from tlsrun.polling.waker import Waker
from tlsrun.threads.leader import LeaderFollowers

_log = logging.getLogger("tlsrun.builtin")

_TICK = 0.5  # seconds between two calls of `tick`
_IDLE = 5.0  # seconds after which an idle thread ends


class Served(Protocol):
    """A connection."""

    def fileno(self) -> int:
        """Its file descriptor; negative after it was closed."""

    def begin(self) -> bool:
        """Do the handshake; returns whether requests may follow."""

    def serve(self) -> bool:
        """Wait for a request and answer it; returns whether another may follow."""

    def stopped(self) -> bool:
        """Whether it is to be closed; used where shutdown(2) does not make a descriptor readable."""

    def at_hand(self) -> bool:
        """Whether a part of the next request was already read, so that the descriptor may not become readable."""

    def end(self) -> None:
        """Close it gracefully."""


class ConnectionThreads:
    """Serves connections.

    Kept connections are watched together, and the leader answers those that send a request. While most requests block,
    each connection keeps its thread between requests.

    Arguments:
        tick: called about twice a second.
    """

    def __init__(self, tick: Callable[[], None]) -> None:
        self._tick = tick
        self._ticked = 0.0
        self._poller, self._waker = new_poller(), Waker()
        self._poller.watch(self._waker.fileno(), READ, self)
        self._threads: LeaderFollowers[Served] = LeaderFollowers(
            self._serve_inline,
            work_aside=self._serve,
            detach=self._forget,
            idle_timeout=_IDLE,
            name="tlsrun-connection",
            log=_log,
        )

    def start(self) -> None:
        """Start watching kept connections."""
        self._threads.start(self._wait, self._waker.wake)

    def stop(self) -> None:
        """Stop all idle threads; kept connections must have been closed before."""
        self._threads.shutdown()
        self._poller.close()
        self._waker.close()

    def accept(self, connection: Served) -> None:
        """Serve a new connection.

        Raises:
            RuntimeError: no thread can be started.
        """
        self._threads.employ(partial(self._begin, connection))

    def _begin(self, connection: Served) -> None:
        if connection.begin():
            self._serve(connection)
        else:
            connection.end()

    def _serve(self, connection: Served) -> None:
        """Serve it while its next request is already there, or most requests block."""
        while connection.serve():
            if not connection.at_hand() and not self._threads.workload.blocking():
                self._keep(connection)
                return
        connection.end()

    def _keep(self, connection: Served) -> None:
        try:
            self._poller.watch(connection.fileno(), READ, connection)
            if not self._poller.live:
                self._waker.wake()
        except (OSError, ValueError):  # the application has closed it, or no more can be watched
            connection.end()

    # -- for the leader -----------------------------------------------------------------------------------------------

    def _wait(self, seconds: float) -> None:
        for found in self._poller.wait(seconds):
            if found is self:
                self._waker.clear()
            else:
                self._threads.put(found)
        now = time.monotonic()
        if now >= self._ticked + _TICK:
            self._ticked = now
            self._tick()
            if not system.SHUTDOWN_WAKES:
                for one in self._poller.watched():
                    if one is not self and one.stopped():
                        self._threads.put(one)

    def _serve_inline(self, connection: Served) -> None:
        # The poller keeps watching it, which saves two system calls per request.
        goes_on = connection.serve()
        while goes_on and connection.at_hand():
            goes_on = connection.serve()
        watched = self._threads.release(connection)
        if not goes_on:
            if watched:
                self._forget(connection)  # before it is closed: a new connection may get its number
            connection.end()
        elif not watched:
            self._keep(connection)

    def _forget(self, connection: Served) -> None:
        # If the application has closed it itself (WebSocket), the system has removed it.
        if connection.fileno() >= 0:
            self._poller.forget(connection.fileno())

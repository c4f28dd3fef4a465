"""The built-in server's threads: one answers kept connections as they ask, each new one has its own."""

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
_IDLE = 5.0  # seconds after which a thread without work ends


class Served(Protocol):
    """One connection."""

    def fileno(self) -> int:
        """Its descriptor; negative once it is closed."""

    def begin(self) -> bool:
        """Shake hands; returns whether requests may come."""

    def serve(self) -> bool:
        """Wait for a request and answer it; returns whether another may come."""

    def stopped(self) -> bool:
        """Whether it is to end; asked where shutdown(2) makes no descriptor readable."""

    def at_hand(self) -> bool:
        """Whether a part of the next request was read already, so that the descriptor may stay silent."""

    def end(self) -> None:
        """Say goodbye and close."""


class ConnectionThreads:
    """Serves connections.

    Those that are kept are watched together, and the leader answers who asks. While requests mostly block, each
    connection keeps its thread between them.

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
        """Begin to wait for those that are kept."""
        self._threads.start(self._wait, self._waker.wake)

    def stop(self) -> None:
        """Let all threads end that serve nobody; connections that are kept must have been ended before."""
        self._threads.shutdown()
        self._poller.close()
        self._waker.close()

    def accept(self, connection: Served) -> None:
        """Serve a new connection.

        Raises:
            RuntimeError: there can be no more threads.
        """
        self._threads.employ(partial(self._begin, connection))

    def _begin(self, connection: Served) -> None:
        if connection.begin():
            self._serve(connection)
        else:
            connection.end()

    def _serve(self, connection: Served) -> None:
        """Serve it as long as its next request is there, or requests mostly block."""
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
        except (OSError, ValueError):  # the application has closed it, or the system watches no more
            connection.end()

    # -- for the leader -----------------------------------------------------------------------------------------------

    def _wait(self, seconds: float) -> None:
        for found in self._poller.wait(seconds):
            if found is self:
                self._waker.rest()
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
        # The poller goes on watching it, which saves two system calls for each request.
        goes_on = connection.serve()
        while goes_on and connection.at_hand():
            goes_on = connection.serve()
        watched = self._threads.release(connection)
        if not goes_on:
            if watched:
                self._forget(connection)  # before it is closed: the next connection may have its number then
            connection.end()
        elif not watched:
            self._keep(connection)

    def _forget(self, connection: Served) -> None:
        # The application may have closed it itself (WebSocket), which the system has noticed.
        if connection.fileno() >= 0:
            self._poller.forget(connection.fileno())

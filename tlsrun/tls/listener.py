"""A listening socket whose connections are ready to answer: a `Reactor` in a thread of its own, behind accept()."""

from __future__ import annotations

import collections
import contextlib
import errno
import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from tlsrun.tls.connection import Connection, Limits
from tlsrun.tls.reactor import Reactor
from tlsrun.tls.request_socket import RequestSocket
from tlsrun.tls.server_context import ServerContext

_POLL = 0.05


class TLSListener:
    """Poses as a non-blocking listening socket, for a server that answers one request at a time.

    What `accept` gives has shaken hands and has a whole request head to read. A call of `accept` says that the
    request before is over; until then no new connection is taken, so that other processes answer them.

    Arguments:
        listener: the real one; stays the caller's to close.
        context: for every connection.
        limits: how long things may take.
        max_waiting: connections that wait at once; the oldest makes room for a new one.
    """

    def __init__(
        self, listener: Any, context: ServerContext, *, limits: Limits | None = None, max_waiting: int = 1000
    ) -> None:
        self._listener = listener
        self._ready: collections.deque[Connection] = collections.deque()
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        self._lent = False
        self._ending = False
        self._reactor = Reactor(
            [listener], context, self._put, limits=limits or Limits(), capacity=1, max_waiting=max_waiting
        )
        self._thread = threading.Thread(target=self._run, name="tlsrun-reactor", daemon=True)

    def start(self) -> None:
        """Begin; to be called in the process that serves, never in one that will fork."""
        self._thread.start()

    # -- as a listening socket --------------------------------------------------------------------------------

    def fileno(self) -> int:
        """A descriptor that is readable while `accept` has a connection to give."""
        return self._ear.fileno()

    def accept(self) -> tuple[RequestSocket, Any]:
        """The next connection and its client's address.

        Raises:
            BlockingIOError: there is none.
            RuntimeError: the thread has died.
        """
        if self._lent:
            self._lent = False
            self._reactor.release()
        connection = self._take()
        if connection is None:
            if not self._thread.is_alive() and not self._ending:
                raise RuntimeError("the thread of the TLS listener has died")
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        self._lent = True
        return connection.sock, connection.address

    def _take(self) -> Connection | None:
        """The next one, and the ear is quiet when it is the last: else whoever waits by it would turn in place."""
        with contextlib.suppress(OSError):
            # First, for the bell rings after a connection was put: what is put from now on rings again.
            self._ear.recv(4096)
        try:
            connection = self._ready.popleft()
        except IndexError:
            return None
        if self._ready:
            self._ring()
        return connection

    def getsockname(self) -> Any:
        """As the real one's."""
        return self._listener.getsockname()

    def setblocking(self, flag: bool) -> None:
        """It never blocks; for servers that set it so."""

    # -- the end ----------------------------------------------------------------------------------------------

    def stop_accept(self) -> None:
        """Take no new connection from the operating system."""
        self._reactor.stop_accepting()

    def drain(self, seconds: float) -> Iterator[tuple[RequestSocket, Any]]:
        """After `stop_accept`: what had begun, as it becomes ready, for ``seconds`` at most."""
        self._reactor.hurry(seconds)
        deadline = time.monotonic() + seconds
        while self._ready or (self._reactor.coming and time.monotonic() < deadline):
            with contextlib.suppress(BlockingIOError):
                yield self.accept()
                continue
            select.select([self._ear], [], [], _POLL)

    def close(self, seconds: float = 0.0) -> None:
        """End the thread, after up to ``seconds`` for clients to read their last answers; wait for its end."""
        deadline = time.monotonic() + seconds
        while self._thread.is_alive() and self._reactor.leaving and time.monotonic() < deadline:
            select.select([], [], [], _POLL)
        self._ending = True
        self._reactor.stop_accepting()
        if self._thread.ident is not None:
            self._thread.join()
        self._reactor.close()
        self._bell.close()
        self._ear.close()

    # -- in the thread ----------------------------------------------------------------------------------------

    def _put(self, connection: Connection) -> None:
        self._ready.append(connection)
        self._ring()

    def _ring(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._bell.send(b"\0")

    def _run(self) -> None:
        while not self._ending:
            self._reactor.step(1.0)

"""The event loop that drives connections, so that no thread waits for a slow client; see `connection` for the states.

One thread calls `Reactor.step`. While a request runs, its connection belongs to the request's thread alone, until that
thread returns it with `Reactor.park` or `Reactor.dismiss`.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

from tlsrun.connections.connection import Connection
from tlsrun.connections.request_socket import RequestSocket
from tlsrun.connections.server_context import ServerContext
from tlsrun.connections.shares import Share
from tlsrun.connections.stages import ConnectionLimits, Next, State
from tlsrun.connections.watched import EVENTS, Watched
from tlsrun.polling.poller import READ

_log = logging.getLogger("tlsrun.reactor")

_TICK = 0.5
_DEFERRAL = 0.003  # seconds in which a process with fewer connections may take a new one first
#: Bytes of all unfinished request heads together; beyond it the oldest connections are closed.
_MAX_BUFFERED = 1 << 26


class Reactor(Watched):
    """The event loop of a worker process.

    Arguments:
        listeners: listening sockets (anything with fileno, accept and setblocking).
        context: for every connection; from now on it makes `RequestSocket`s.
        deliver: called with each `Connection` that has a whole request head, by the thread that calls `step` or
            `park`; it must not block.
        limits: timeouts and sizes.
        capacity: how many requests run at once; at that number, new connections are left to other processes.
        max_waiting: how many connections may wait; beyond it the oldest is closed for a new one.
        share: this worker's entry among those that accept from the same sockets; None if it is the only one.
    """

    def __init__(
        self,
        listeners: Iterable[Any],
        context: ServerContext,
        deliver: Callable[[Connection], None],
        *,
        limits: ConnectionLimits,
        capacity: int,
        max_waiting: int = 1000,
        share: Share | None = None,
    ) -> None:
        super().__init__(limits.room)
        self._listeners = tuple(listeners)
        self._context = context
        self._deliver = deliver
        self._limits = limits
        self._capacity = capacity
        self._max_waiting = max_waiting
        self._running = 0
        self._accepting = self._taking = False
        self._stopped = False
        self._share = share
        self._deferred = False
        self._swept = self._resting = 0.0
        self.attend(self._waker.fileno(), self._waker.clear)
        context.sslsocket_class = RequestSocket
        for listener in self._listeners:
            listener.setblocking(False)

    # -- for the thread that owns the loop --------------------------------------------------------------------

    def step(self, timeout: float) -> None:
        """Wait for events, up to ``timeout`` or half a second, and handle them."""
        self._gate()
        self._tell()
        # At capacity there is nothing to wait for: `release` wakes us.
        resting = self._deferred and not self._accepting and self._running < self._capacity
        came = False
        for ready in self._poller.wait(_DEFERRAL if resting else min(timeout, _TICK)):
            if isinstance(ready, Connection):
                self._advance(ready)
            elif callable(ready):
                ready()
            else:
                came = True
                self._accept(ready)
        if not came and not resting:
            self._deferred = False  # another process took it
        now = time.monotonic()
        if now - self._swept >= _TICK:
            self._swept = now
            self._sweep(now)

    def close(self) -> None:
        """Close all waiting connections and the loop itself; the caller closes the listening sockets."""
        self.stop_accepting()
        self._gate()
        with self._lock:
            self._closed = True
        for connection in self._snapshot():
            self._drop(connection)
        for connection in list(self._flowing):
            connection.sock.abort()
        self._poller.close()
        self._waker.close()

    def attend(self, descriptor: int, act: Callable[[], None]) -> None:
        """Have `step` call ``act``, which must not block, whenever ``descriptor`` is readable."""
        self._poller.watch(descriptor, READ, act)

    # -- for any thread ---------------------------------------------------------------------------------------

    def stop_accepting(self) -> None:
        """Accept no connection from the next `step` on."""
        self._stopped = True
        if self._share is not None:
            self._share.leave()
        self.wake()

    @property
    def running(self) -> int:
        """The number of requests that run or are about to."""
        return self._running

    @property
    def busy(self) -> bool:
        """Whether there is any connection: waiting, running, closing, or just being accepted."""
        taking = self._taking  # read first: an accepted connection is added to those waiting before this is reset
        with self._lock:
            return taking or self._running > 0 or bool(self._waiting)

    def park(self, connection: Connection, seconds: float) -> None:
        """Return a connection whose request is answered; its client may send another within ``seconds``."""
        if self._flushes(connection, seconds):
            self.release()
            return
        try:
            then = connection.reuse(seconds)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            then = Next.READ
        except (OSError, ValueError):
            then = Next.END
        if then is Next.NOTHING:
            self._deliver(connection)
            return
        # Count it as waiting before it stops counting as running, so that a stopping worker never misses it.
        if then is Next.END:
            connection.sock.close()
        else:
            self._wait_for(connection, then)
        self.release()

    def dismiss(self, connection: Connection) -> None:
        """Return a connection whose last request is answered: close it gracefully."""
        connection.sock.farewell()
        self.release()

    def takes_back(self, connection: Connection) -> bool:
        """Whether a queued request must not run, now that its turn has come, because its client has gone.

        Also True if the client had to be probed first: unless it has gone, the request is delivered again afterwards.
        """
        then = connection.still_wanted()
        if then is Next.NOTHING:
            return False
        with self._lock:
            asked = then is not Next.END and not self._closed
            if asked:  # no events are watched: its reply would be a reset
                self._waiting[connection] = None
        if not asked:
            _log.debug("a request of %s was taken back before its turn", connection.address)
            connection.sock.close()
        self.release()
        return True

    def release(self) -> None:
        """Count a running request as finished."""
        with self._lock:
            self._running -= 1
            shut = not self._accepting
        if shut:
            self.wake()

    def see_off(self, descriptor: int) -> None:
        """Do the lingering close of a connection that was shut down: discard what its client sends until it closes.

        Closing with unread input would send a reset, and a reset destroys the answer (RFC 9112, section 9.6).
        """
        self._wait_for(Connection.closing(descriptor, self._limits), Next.READ)

    # -- the listening sockets --------------------------------------------------------------------------------

    def _gate(self) -> None:
        """Watch the listening sockets while there is capacity, else leave connections to other processes."""
        with self._lock:  # so that `release` wakes us whenever we are not accepting
            rested = time.monotonic() >= self._resting
            wanted = rested and not self._stopped and self._running < self._capacity
            if wanted == self._accepting:
                return
            self._accepting = wanted
        for listener in self._listeners:
            if wanted:
                self._poller.watch(listener.fileno(), READ, listener)
            else:
                self._poller.forget(listener.fileno())

    def _accept(self, listener: Any) -> None:
        # Set first: either a stopping worker sees this, or we see that it stops.
        self._taking = True
        try:
            self._take(listener)
        finally:
            self._taking = False

    def _take(self, listener: Any) -> None:
        if self._stopped or self._running >= self._capacity or self._defers():
            return
        try:
            sock, address = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):
            return
        except OSError as error:
            # Out of descriptors or memory (accept(2)): close the connection that has waited longest.
            if not self._evict():
                _log.warning("cannot accept connections for a moment: %s", error.strerror)
                self._resting = time.monotonic() + _TICK
            return
        sock.setblocking(False)
        if len(self._waiting) >= self._max_waiting:
            self._evict()
        connection = Connection(sock, address, listener, self._context, self._limits, self)
        with self._lock:
            self._waiting[connection] = None
        self._tell()
        self._advance(connection)

    def _tell(self) -> None:
        if self._share is not None and not self._stopped:
            self._share.tell(len(self._waiting) + self._running)

    def _defers(self) -> bool:
        """Whether to let another process take this connection first; only for a moment, as that one may be busy."""
        if self._share is None or self._deferred:
            self._deferred = False
            return False
        if not self._share.is_large(len(self._waiting) + self._running):
            return False
        self._deferred = True
        self._resting = time.monotonic() + _DEFERRAL
        return True

    # -- connections ------------------------------------------------------------------------------------------

    def _advance(self, connection: Connection) -> None:
        if connection not in self._waiting:
            if connection in self._flowing:
                self._pour(connection)
            return  # or it was evicted a moment ago
        try:
            then = connection.advance()
        except Exception:
            _log.exception("closing the connection of %s", connection.address)
            then = Next.END
        if then is Next.NOTHING:
            self._hand_over(connection)
        elif then is Next.END:
            self._drop(connection)
        else:
            self._watch(connection, EVENTS[then])

    def _hand_over(self, connection: Connection) -> None:
        # Count it as running before it stops counting as waiting, so that a stopping worker never misses it.
        with self._lock:
            self._running += 1
        self._forget(connection)
        self._deliver(connection)

    def _sweep(self, now: float) -> None:
        for connection in self._snapshot():
            if connection.deadline > now:
                continue
            if connection.state is State.ASKED:
                self._hand_over(connection)
            else:
                connection.expire()
                self._drop(connection)
        heads = [one for one in self._snapshot() if one.state is State.HEAD]
        total = sum(one.sock.ahead for one in heads)
        while total > _MAX_BUFFERED:
            total -= heads[0].sock.ahead
            self._drop(heads.pop(0))

"""The connections of a reactor, what each is watched for, and buffered answers for slow clients."""

from __future__ import annotations

import ssl
import threading

from tlsrun.connections.connection import Connection
from tlsrun.connections.stages import Next, State
from tlsrun.polling.poller import READ, WRITE, new_poller
from tlsrun.polling.waker import Waker
from tlsrun.spool import Room

_AFTER = frozenset({State.FLUSHING, State.CLOSING})
#: States in which a body or an answer is being transferred: these are evicted last.
_MOVING = frozenset({State.BODY, State.FLUSHING})
EVENTS = {Next.READ: READ, Next.WRITE: WRITE}


class Watched:
    """Connections that wait, and running ones with buffered output. Public methods are safe from any thread.

    Arguments:
        room: bytes of all buffered bodies, and as many of all buffered answers.
    """

    def __init__(self, room: int) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[Connection, None] = {}  # an ordered set, oldest first
        self._flowing: dict[Connection, None] = {}
        self.bodies, self.answers = Room(room), Room(room)
        self._closed = False
        self._poller = new_poller()
        self._waker = Waker()

    def wake(self) -> None:
        """Make `step` return; safe in a signal handler."""
        self._waker.wake()

    def hurry(self, seconds: float) -> None:
        """Limit the deadlines of waiting connections to ``seconds`` from now, except for those taking an answer."""
        for connection in self._snapshot():
            connection.hurry(seconds)

    @property
    def coming(self) -> int:
        """The number of connections that may still send a request."""
        return sum(connection.state not in _AFTER for connection in self._snapshot())

    @property
    def flushing(self) -> int:
        """The number of connections with unsent output."""
        return sum(connection.state is State.FLUSHING for connection in self._snapshot())

    @property
    def leaving(self) -> int:
        """The number of connections in a lingering close."""
        return sum(connection.state is State.CLOSING for connection in self._snapshot())

    # -- answers whose clients are slow ------------------------------------------------------------------------

    def flow(self, connection: Connection, flows: bool) -> None:
        """Start or stop sending a running request's buffered output; called with the buffer's lock held."""
        with self._lock:
            if flows and not self._closed:
                self._flowing[connection] = None
                self._watch(connection, WRITE)
            elif connection in self._flowing:
                del self._flowing[connection]
                self._poller.forget(connection.sock.fileno())
                connection.watched = 0
        if not self._poller.live:
            self.wake()

    def leave(self, connection: Connection) -> bool:
        """The server has closed the connection: close it for real when the client has taken the whole answer.

        Returns:
            False if it has already.
        """
        return self._flushes(connection, None)

    def _flushes(self, connection: Connection, keep: float | None) -> bool:
        output_buffer = connection.sock.output_buffer
        if output_buffer is None or not output_buffer.held:
            return False
        with output_buffer.changed:
            if not output_buffer.held:
                return False
            with self._lock:
                if self._closed:
                    return False
                self._flowing.pop(connection, None)
                self._waiting[connection] = None
            connection.flush(keep)
        return True

    def _pour(self, connection: Connection) -> None:
        output_buffer = connection.sock.output_buffer
        with output_buffer.changed:
            if connection not in self._flowing:
                return
            try:
                if output_buffer.pour():
                    self.flow(connection, False)
                else:
                    self._watch(connection, WRITE)
            except ssl.SSLWantReadError:
                self._watch(connection, READ)
            except ssl.SSLWantWriteError:
                self._watch(connection, WRITE)
            except (OSError, ValueError) as error:
                output_buffer.fail(error)

    # -- for the loop -----------------------------------------------------------------------------------------

    def _wait_for(self, connection: Connection, then: Next) -> None:
        """Start watching a connection; safe from any thread."""
        with self._lock:
            if not self._closed:
                self._waiting[connection] = None
                self._watch(connection, EVENTS[then])
                if not self._poller.live:
                    self.wake()
                return
        connection.sock.close()

    def _watch(self, connection: Connection, events: int) -> None:
        before, connection.watched = connection.watched, events
        if before == 0:
            self._poller.watch(connection.sock.fileno(), events, connection)
        elif before != events:
            self._poller.change(connection.sock.fileno(), events, connection)

    def _forget(self, connection: Connection) -> None:
        with self._lock:
            self._waiting.pop(connection, None)
            if connection.watched:
                self._poller.forget(connection.sock.fileno())
                connection.watched = 0

    def _drop(self, connection: Connection) -> None:
        self._forget(connection)
        connection.drop()

    def _snapshot(self) -> list[Connection]:
        with self._lock:
            return list(self._waiting)

    def _evict(self) -> bool:
        waiting = self._snapshot()
        if not waiting:
            return False
        oldest = next((one for one in waiting if one.state not in _MOVING), waiting[0])
        oldest.give_way()
        self._drop(oldest)
        return True

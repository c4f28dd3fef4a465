"""The connections of a server: their number, their states, and how they end at a stop."""

from __future__ import annotations

import enum
import threading
import time

from tlsrun.connections.sockets import ServerSocket


class ConnectionState(enum.Enum):
    """The state of a connection."""

    FRESH = "accepted; no part of a request has arrived, perhaps not even of the handshake"
    IDLE = "the last request was answered; the client may send another"
    RECEIVING = "a part of a request's head has arrived"
    BUSY = "the application runs, or its response is being sent"


#: States in which a connection may be closed to make room, in this order.
_UNCLAIMED = (ConnectionState.FRESH, ConnectionState.IDLE)
_LOOK = 0.5  # the most seconds between two checks during a stop


class _Place:
    """The state of one connection."""

    __slots__ = ("phase", "since")

    def __init__(self) -> None:
        self.phase = ConnectionState.FRESH
        self.since = time.monotonic()


class Connections:
    """All open connections. Safe to use from any thread.

    Arguments:
        limit: how many there may be; for one more, the one that has waited longest is closed.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._places: dict[ServerSocket, _Place] = {}
        self._stopping = False
        self._last_word = 0.0  # seconds that who was answered without a word about the stop has to ask once more

    @property
    def stopping(self) -> bool:
        """Whether no further request is wanted."""
        return self._stopping

    def __len__(self) -> int:
        return len(self._places)

    def count(self, phase: ConnectionState) -> int:
        """The number of connections in this state."""
        with self._changed:
            return sum(place.phase is phase for place in self._places.values())

    def add(self, sock: ServerSocket) -> None:
        """Register a new connection."""
        with self._changed:
            self._places[sock] = _Place()

    def move(self, sock: ServerSocket, phase: ConnectionState) -> bool:
        """Change the state of a connection.

        Returns:
            False if it must be closed instead: it would wait for a request while the server stops.
        """
        # Without the lock, for which all connections' threads would queue three times per request. The order matters:
        # `stop` sets its flag first and then examines the states, so that one of the two notices the other. In
        # free-threaded Python both may see an old value for a moment; `wait_for_end` checks again.
        place = self._places[sock]
        place.phase = phase
        place.since = time.monotonic()
        return not self._stopping or self._move_at_stop(phase)

    def _move_at_stop(self, phase: ConnectionState) -> bool:
        with self._changed:
            self._changed.notify_all()
        return phase is not ConnectionState.IDLE or self._last_word > 0

    def remove(self, sock: ServerSocket) -> None:
        """Forget a closed connection."""
        with self._changed:
            self._places.pop(sock, None)
            self._changed.notify_all()

    def make_room(self, seconds: float) -> bool:
        """Wait until there is room for one more; the connection that has been idle longest is closed for it.

        Returns:
            False if there is none after ``seconds`` (every connection is busy), or the server stops.
        """
        with self._changed:
            if len(self._places) < self._limit:
                return True
            self._end_oldest()
            self._changed.wait_for(lambda: len(self._places) < self._limit or self._stopping, seconds)
            return len(self._places) < self._limit and not self._stopping

    def relieve(self, seconds: float) -> None:
        """Close a connection, or wait ``seconds``, since the process can open no more descriptors."""
        with self._changed:
            number = len(self._places)
            self._end_oldest()
            self._changed.wait_for(lambda: len(self._places) < number, seconds)

    def _end_oldest(self) -> None:
        for phases in (_UNCLAIMED, (ConnectionState.RECEIVING,)):
            waiting = [(place.since, sock) for sock, place in self._places.items() if place.phase in phases]
            if waiting:
                _, oldest = min(waiting, key=lambda one: one[0])
                # It stays registered until its thread has closed it, and must not be chosen again until then.
                self._places[oldest].phase = ConnectionState.BUSY
                oldest.stop_reading("too many connections")
                return

    def expire(self, seconds: float) -> None:
        """Close connections that have been idle for ``seconds``."""
        latest = time.monotonic() - seconds
        with self._changed:
            for sock, place in self._places.items():
                if place.phase is ConnectionState.IDLE and place.since < latest:
                    sock.stop_reading()

    def stop(self, seconds: float) -> None:
        """Accept no further requests: idle connections are closed, after `linger` when their time is up.

        Arguments:
            seconds: time for new connections to send their first request, since their clients do not know of the stop.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            self._end_idle()
            self._changed.wait_for(
                lambda: all(place.phase is not ConnectionState.FRESH for place in self._places.values()), seconds
            )
            self._wake(ConnectionState.FRESH)

    def linger(self, seconds: float) -> None:
        """Accept at most one further request per connection, answered with ``Connection: close``; called before `stop`.

        A client on a kept connection may already be sending a request. One that was answered without ``close`` may send
        another; an idle one has ``seconds`` for it.

        Arguments:
            seconds: time to send that request.
        """
        with self._changed:
            self._stopping, self._last_word = True, seconds
            self._changed.wait_for(
                lambda: all(place.phase is not ConnectionState.IDLE for place in self._places.values()), seconds
            )

    def _wake(self, phase: ConnectionState) -> None:
        for sock, place in self._places.items():
            if place.phase is phase:
                sock.stop_reading("the server stops")

    def _end_idle(self) -> float:
        """Close idle connections whose time is up; returns the seconds until the next one's."""
        now, left = time.monotonic(), _LOOK
        for sock, place in self._places.items():
            if place.phase is ConnectionState.IDLE:
                has = place.since + self._last_word - now
                if has <= 0:
                    sock.stop_reading("the server stops")
                else:
                    left = min(left, has)
        return left

    def wait_for_end(self, seconds: float) -> bool:
        """Wait until all are closed; returns whether they are."""
        end = time.monotonic() + seconds
        with self._changed:
            while self._places and (left := end - time.monotonic()) > 0:
                self._changed.wait(min(left, self._end_idle()))
            return not self._places

    def abort(self) -> None:
        """Break the remaining connections."""
        with self._changed:
            for sock in self._places:
                sock.abort()

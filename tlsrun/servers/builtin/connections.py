"""The connections of one server: how many, which of them wait for their client, and their end."""

from __future__ import annotations

import enum
import threading
import time

from tlsrun.connections.sockets import ServerSocket


class ConnectionState(enum.Enum):
    """What a connection is about."""

    FRESH = "it was accepted; nothing of a request is there, perhaps not even of the handshake"
    IDLE = "its client was answered, and may ask again"
    RECEIVING = "a part of a request's head is there"
    BUSY = "the application runs, or its answer is on the way"


#: Waiting for the client, who has no claim yet; in this order room is made.
_UNCLAIMED = (ConnectionState.FRESH, ConnectionState.IDLE)
_LOOK = 0.5  # seconds between two looks at a stop, at most


class _Place:
    """Where one connection is."""

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
        """How many are in this phase."""
        with self._changed:
            return sum(place.phase is phase for place in self._places.values())

    def add(self, sock: ServerSocket) -> None:
        """A new connection."""
        with self._changed:
            self._places[sock] = _Place()

    def move(self, sock: ServerSocket, phase: ConnectionState) -> bool:
        """A connection goes on to another phase.

        Returns:
            False when it shall end instead: it would wait for a request, and none is wanted.
        """
        # Without the lock, for which the threads of all connections would queue three times in each request. The order
        # counts: who stops says so first, and looks at the phases then, so that one of the two sees the other. Where
        # Python has no interpreter lock, each may see the old value for a moment: `wait_for_end` looks again.
        place = self._places[sock]
        place.phase = phase
        place.since = time.monotonic()
        return not self._stopping or self._move_at_stop(phase)

    def _move_at_stop(self, phase: ConnectionState) -> bool:
        with self._changed:
            self._changed.notify_all()
        return phase is not ConnectionState.IDLE or self._last_word > 0

    def remove(self, sock: ServerSocket) -> None:
        """A connection is over."""
        with self._changed:
            self._places.pop(sock, None)
            self._changed.notify_all()

    def make_room(self, seconds: float) -> bool:
        """Wait until there is room for one more; whoever waits longest for its client makes it.

        Returns:
            False when there is none after ``seconds`` (every connection is busy), or the server stops.
        """
        with self._changed:
            if len(self._places) < self._limit:
                return True
            self._end_oldest()
            self._changed.wait_for(lambda: len(self._places) < self._limit or self._stopping, seconds)
            return len(self._places) < self._limit and not self._stopping

    def relieve(self, seconds: float) -> None:
        """Have one connection less, or wait ``seconds``: the process can open no more."""
        with self._changed:
            number = len(self._places)
            self._end_oldest()
            self._changed.wait_for(lambda: len(self._places) < number, seconds)

    def _end_oldest(self) -> None:
        for phases in (_UNCLAIMED, (ConnectionState.RECEIVING,)):
            waiting = [(place.since, sock) for sock, place in self._places.items() if place.phase in phases]
            if waiting:
                _, oldest = min(waiting, key=lambda one: one[0])
                # It stays here until its thread has closed it; until then it is not the one to be chosen again.
                self._places[oldest].phase = ConnectionState.BUSY
                oldest.stop_reading("too many connections")
                return

    def expire(self, seconds: float) -> None:
        """End those whose clients have not asked again for so long."""
        latest = time.monotonic() - seconds
        with self._changed:
            for sock, place in self._places.items():
                if place.phase is ConnectionState.IDLE and place.since < latest:
                    sock.stop_reading()

    def stop(self, seconds: float) -> None:
        """Want no further request: who waits for one is woken up, and closes; after `linger`, when he has had his time.

        Arguments:
            seconds: for new connections to begin theirs: their clients know of no stop.
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
        """Want one further request of each client at most, and tell so with its answer; to be called before `stop`.

        A client whose connection is kept may have a request on its way. Who is answered without that word may ask once
        more; who says nothing has until then.

        Arguments:
            seconds: for them to ask.
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
        """Wake those who have had the time for another request; returns how many seconds the next one still has."""
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
        """Wait until all are over; returns whether they are."""
        end = time.monotonic() + seconds
        with self._changed:
            while self._places and (left := end - time.monotonic()) > 0:
                self._changed.wait(min(left, self._end_idle()))
            return not self._places

    def abort(self) -> None:
        """Break what is left, whatever it does."""
        with self._changed:
            for sock in self._places:
                sock.abort()

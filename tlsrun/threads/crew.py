"""The threads that serve connections: one after the other while requests are quick, side by side while they are not.

Threads that want the interpreter at the same time take turns at it, several turns for each request, and those cost more
than a small request does. So connections that are kept wait together, and one thread, the leader, serves who asks. The
lookout sees when a request keeps the leader: then another thread takes the lead. While requests mostly wait for
something else (a database), or take long, each connection has a thread of its own, as every new one has at first.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from tlsrun import system
from tlsrun.polling.poller import READ, new_poller
from tlsrun.polling.waker import Waker
from tlsrun.threads.gait import Gait, moment

_PATIENCE = 0.004  # seconds that a request may keep the leader, and as many more until that is noticed
_TICK = 0.5  # seconds between two calls of `tick`
_UNMOVED = 50  # looks without anything to see, after which the lookout rests
_REST = 5.0  # seconds after which a thread without work ends


class Station(Protocol):
    """One connection, as the crew sees it."""

    def fileno(self) -> int:
        """Its descriptor, as long as it did not end."""

    def begin(self) -> bool:
        """Shake hands; returns whether requests may come."""

    def serve(self) -> bool:
        """Wait for a request and answer it; returns whether another may come."""

    def stopped(self) -> bool:
        """Whether it is to end, which no descriptor tells where shutdown(2) wakes nobody."""

    def at_hand(self) -> bool:
        """Whether a part of the next request was read already, and no descriptor will tell."""

    def end(self) -> None:
        """Say goodbye and close."""


class _Seat:
    """Where a thread without work rests."""

    __slots__ = ("job", "woken")

    def __init__(self) -> None:
        self.job: Callable[[], None] | None = None
        self.woken = threading.Lock()
        self.woken.acquire()


class Crew:
    """The threads of one server.

    Arguments:
        tick: called about twice a second, by the leader.
    """

    def __init__(self, tick: Callable[[], None]) -> None:
        self._tick = tick
        self._lock = threading.Lock()
        self._poller = new_poller()
        self._gait = Gait()
        self._resting: list[_Seat] = []
        self._ready: deque[Station] = deque()
        # Who leads knows this number, which nobody has after him.
        self._lead = 0
        # Counts what leaders have served; the lookout sees by it whether it is still the same.
        self._turn = 0
        self._busy = False
        # What the leader serves, and the poller still watches.
        self._served: Station | None = None
        self._watched = False
        self._ticked = 0.0
        self._alarm = threading.Semaphore(0)
        self._ended = False
        self._over = threading.Lock()  # held until the end
        self._over.acquire()
        self._waker = Waker()
        self._poller.watch(self._waker.fileno(), READ, self)

    def start(self) -> None:
        """Start to wait for those that are kept."""
        self._employ(partial(self._lead_on, self._lead))
        threading.Thread(target=self._look_out, name="tlsrun-lookout", daemon=True).start()

    def stop(self) -> None:
        """Let all threads end that serve nobody; connections that are kept must have been ended before."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
            for seat in self._resting:
                seat.woken.release()
            self._resting.clear()
        self._over.release()
        self._alarm.release()
        self._waker.wake()

    def accompany(self, station: Station) -> None:
        """Serve a new connection, in a thread of its own until it is kept.

        Raises:
            RuntimeError: there can be no more threads.
        """
        self._employ(partial(self._accompany, station))

    # -- threads and their work ---------------------------------------------------------------------------------------

    def _employ(self, job: Callable[[], None]) -> None:
        with self._lock:
            seat = self._resting.pop() if self._resting else None
            if seat is not None:
                seat.job = job
                seat.woken.release()
                return
        threading.Thread(target=self._work, args=(job,), name="tlsrun-connection", daemon=True).start()

    def _work(self, job: Callable[[], None] | None) -> None:
        seat = _Seat()
        while job is not None:
            job()
            job = self._rest(seat)

    def _rest(self, seat: _Seat) -> Callable[[], None] | None:
        """Wait for another job; None when none comes."""
        with self._lock:
            if self._ended:
                return None
            seat.job = None
            self._resting.append(seat)
        if not seat.woken.acquire(timeout=_REST):
            with self._lock, contextlib.suppress(ValueError):
                self._resting.remove(seat)
                return None
            seat.woken.acquire()  # a job came at the last moment
        return seat.job

    def _accompany(self, station: Station) -> None:
        if station.begin():
            self._stay(station)
        else:
            station.end()

    def _stay(self, station: Station) -> None:
        """Serve one connection, as long as another request is there, or each connection has its thread."""
        while station.serve():
            if not station.at_hand() and not self._gait.side_by_side():
                self._park(station)
                return
        station.end()

    def _park(self, station: Station) -> None:
        try:
            self._poller.watch(station.fileno(), READ, station)
            if not self._poller.live:
                self._waker.wake()
        except (OSError, ValueError):  # the application has closed it, or the system watches no more
            station.end()

    def _forget(self, station: Station) -> None:
        # The application may have closed it itself (WebSocket), which the system has noticed.
        if station.fileno() >= 0:
            self._poller.forget(station.fileno())

    # -- the leader ---------------------------------------------------------------------------------------------------

    def _lead_on(self, lead: int) -> None:
        """Serve who asks, until somebody else has taken the lead."""
        while self._lead == lead and not self._ended:
            if not self._ready:
                self._wait()
                continue
            station = self._ready.popleft()
            if not self._gait.side_by_side() or not self._hand_over(station):
                self._serve(station, lead)
        if self._lead == lead:
            self._poller.close()
            self._waker.close()

    def _wait(self) -> None:
        for found in self._poller.wait(_TICK):
            if found is self:
                self._waker.rest()
            else:
                self._ready.append(found)
        now = time.monotonic()
        if now >= self._ticked + _TICK:
            self._ticked = now
            self._tick()
            if not system.SHUTDOWN_WAKES:
                self._ready.extend(one for one in self._poller.watched() if one is not self and one.stopped())

    def _hand_over(self, station: Station) -> bool:
        """Let it have a thread of its own; returns whether there is one."""
        self._forget(station)
        try:
            self._employ(partial(self._stay, station))
        except RuntimeError:
            self._poller.watch(station.fileno(), READ, station)
            return False
        return True

    def _serve(self, station: Station, lead: int) -> None:
        self._turn += 1
        self._served, self._busy = station, True
        if not self._watched:
            self._watched = True
            self._alarm.release()
        began = moment()
        goes_on = station.serve()
        while goes_on and station.at_hand():
            goes_on = station.serve()
        with self._lock:
            leads = self._lead == lead
            if leads:
                self._served, self._busy = None, not goes_on
                if not goes_on:
                    # Before it is closed: its number is the next connection's then.
                    self._forget(station)
        if leads:
            self._gait.note(began, moment())
        if goes_on:
            if not leads:
                self._park(station)
            return
        station.end()
        with self._lock:
            if self._lead == lead:
                self._busy = False

    # -- the lookout --------------------------------------------------------------------------------------------------

    def _look_out(self) -> None:
        """See that no request keeps the leader for long; rest while there are none."""
        while not self._ended:
            self._alarm.acquire()
            seen, unmoved = -1, 0
            while unmoved < _UNMOVED and not self._over.acquire(timeout=_PATIENCE):
                turn = self._turn
                unmoved = unmoved + 1 if turn == seen else 0
                if turn == seen and self._busy:
                    unmoved = 0
                    with contextlib.suppress(RuntimeError):  # no more threads: the leader has to go on
                        self._employ(partial(self._relieve, turn))
                seen = turn
                if unmoved == _UNMOVED:
                    self._watched = False
                    # A leader who has begun meanwhile may have relied on this thread.
                    if self._busy or self._turn != seen:
                        self._watched, unmoved = True, 0

    def _relieve(self, turn: int) -> None:
        """Take the lead, if its holder is still at that turn."""
        with self._lock:
            if self._turn != turn or not self._busy:
                return
            self._lead += 1
            lead, self._busy = self._lead, False
            if self._served is not None:
                # From now on it is the business of the thread that serves it alone.
                self._forget(self._served)
                self._served = None
        self._gait.kept()
        self._lead_on(lead)

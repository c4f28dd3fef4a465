"""The threads of a gthread worker: one steps the loop and answers quick requests itself, the others answer what waits.

Threads that want the interpreter at the same time take turns at it, and for a small request those cost more than what
is done. So the thread that has found a request, the leader, answers it. When one takes long, another thread takes the
lead; while requests mostly wait for something else, the leader leaves them all to the others.
"""

from __future__ import annotations

import _thread
import collections
import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from tlsrun.threads.gait import Gait, moment

Item = TypeVar("Item")

_log = logging.getLogger("gunicorn.error")

_PATIENCE = 0.004  # seconds that an item may keep the leader, and as many more until that is noticed
_UNMOVED = 50  # looks without anything to see, after which `Pool.look_out` rests
_STEP = 0.5  # seconds that the loop waits for something to do


class Pool(Generic[Item]):
    """So many items at a time, and one thread more, for the loop; who became free last works next: its memory is warm.

    They are daemons: a worker that has waited for its graceful_timeout ends, whatever its requests still do.

    Arguments:
        threads: how many items are worked on at a time.
        work: called with each item.
        alone: whether an item is better worked on by the leader, when it is quick; else another thread does it.
    """

    def __init__(
        self, threads: int, work: Callable[[Item], None], *, alone: Callable[[Item], bool] = lambda item: True
    ) -> None:
        self._most = threads
        self._work = work
        self._alone = alone
        self._step: Callable[[float], None] = lambda seconds: None
        self._wake: Callable[[], None] = lambda: None
        self._gait = Gait()
        self._lock = threading.Lock()
        self._stepping = threading.Lock()
        self._items: collections.deque[Item] = collections.deque()
        self._idle: list[_Seat[Item]] = []
        self._working = 0
        # Who leads knows this number, which nobody has after him.
        self._lead = 0
        self._vacant = True
        # Counts what leaders have worked on; who looks out sees by it whether it is still the same.
        self._turn = self._seen = self._unmoved = 0
        self._busy = self._watched = self._ended = False
        self._error: BaseException | None = None
        self._bell = threading.Lock()  # free when whoever looks out should look at once
        self._threads = [
            threading.Thread(target=self._run, name=f"gunicorn-request-{number}", daemon=True)
            for number in range(1, threads + 2)
        ]

    def start(self, step: Callable[[float], None], wake: Callable[[], None]) -> None:
        """Start the threads; they take over the signal mask of this one, and what they run takes it over from them.

        Arguments:
            step: waits so many seconds for something to do, and calls `put`; called by one thread at a time.
            wake: makes it return.
        """
        self._step, self._wake = step, wake
        for thread in self._threads:
            thread.start()

    def put(self, item: Item) -> None:
        """Have ``item`` worked on; to be called by ``step``, or while an item is worked on."""
        self._items.append(item)

    def ring(self) -> None:
        """Make `look_out` return soon; may be called by a signal handler."""
        with contextlib.suppress(RuntimeError):  # it was rung already
            self._bell.release()

    def look_out(self, seconds: float) -> None:
        """For so long, or until somebody rings, see that no item keeps the leader.

        Raises:
            BaseException: what ``step`` raised; nobody leads any more.
        """
        if self._error is not None:
            raise self._error
        if self._bell.acquire(timeout=min(seconds, _PATIENCE) if self._watched else seconds):
            return
        turn, self._seen = self._seen, self._turn
        if turn != self._seen:
            self._unmoved = 0
        elif self._busy:
            self._relieve(turn)
        elif self._watched:
            self._unmoved += 1
            if self._unmoved >= _UNMOVED:
                self._watched, self._unmoved = False, 0
                # A leader who has begun meanwhile may have relied on us.
                self._watched = self._busy or self._turn != self._seen

    def shutdown(self, wait: bool = True) -> None:
        """Let the threads end when they have done what they are at.

        Arguments:
            wait: until nobody steps any more; without it, as gunicorn says in a signal handler, this takes no lock.
        """
        self._ended = True
        if not wait:
            return
        with self._lock:
            for seat in self._idle:
                seat.bell.release()
            self._idle.clear()
        self._wake()
        with self._stepping:
            pass

    # -- the threads --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        seat: _Seat[Item] = _Seat()
        while True:
            lead, item = 0, None
            with self._lock:
                if self._ended:
                    return
                if self._vacant:
                    self._vacant = False
                    self._lead += 1
                    lead = self._lead
                elif self._items and self._working < self._most:
                    self._working += 1
                    item = self._items.popleft()
                else:
                    self._idle.append(seat)
            if lead:
                self._lead_on(lead)
                continue
            if item is None:
                seat.bell.acquire()
                item, seat.item = seat.item, None
            if item is not None:
                self._do(item)
                with self._lock:
                    self._working -= 1

    def _do(self, item: Item) -> None:
        try:
            self._work(item)
        except BaseException:
            # Also sys.exit() in a view: it ends its request, not a thread that nobody would miss.
            _log.exception("Exception in a request's thread")

    def _lead_on(self, lead: int) -> None:
        try:
            while self._lead == lead and not self._ended:
                item = self._next() if self._items else None
                if item is not None:
                    self._do_now(item, lead)
                    continue
                with self._stepping:
                    if not self._ended:
                        self._step(_STEP)
        except BaseException as error:  # noqa: BLE001 -- the main thread raises it: the worker cannot go on
            self._error = error
            self.ring()

    def _next(self) -> Item | None:
        """The next item that the leader works on itself; those before it are for the others."""
        side_by_side = self._gait.side_by_side()
        with self._lock:
            while self._items and self._working < self._most:
                if not side_by_side and self._alone(self._items[0]):
                    self._working += 1
                    self._turn += 1
                    self._busy = True
                    return self._items.popleft()
                if not self._idle:
                    break  # who is about to be idle looks for items first
                self._working += 1
                seat = self._idle.pop()
                seat.item = self._items.popleft()
                seat.bell.release()
        return None

    def _do_now(self, item: Item, lead: int) -> None:
        if not self._watched:
            self._watched = True
            self.ring()
        began = moment()
        self._do(item)
        with self._lock:
            self._working -= 1
            leads = self._lead == lead
            if leads:
                self._busy = False
        if leads:
            self._gait.note(began, moment())

    def _relieve(self, turn: int) -> None:
        """Have another thread take the lead, if its holder is still at that turn."""
        with self._lock:
            if self._turn != turn or not self._busy:
                return
            self._busy = False
            self._lead += 1
            self._vacant = True
            if self._idle:  # else somebody is about to be, and looks first
                self._idle.pop().bell.release()
        self._gait.kept()


class _Seat(Generic[Item]):
    """Where a thread waits for what it is to do."""

    __slots__ = ("bell", "item")

    def __init__(self) -> None:
        self.bell = _thread.allocate_lock()
        self.bell.acquire()
        self.item: Item | None = None

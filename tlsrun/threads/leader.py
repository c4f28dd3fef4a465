"""Leader/Followers: one thread waits for requests and answers short ones itself; others answer those that block.

The pattern is Leader/Followers (Schmidt et al., Pattern-Oriented Software Architecture 2). There, a leader promotes its
successor before it works. In Python that costs several switches between threads that compete for the interpreter, more
than a small request costs; so the leader keeps leading while requests are short. When one stalls it, the monitor has
another thread take over; while most requests block, the leader hands all of them to other threads.

All shared state is read and changed under a lock of its own; nothing relies on the interpreter's lock.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from tlsrun.threads.monitor import Monitor
from tlsrun.threads.workload import Workload, usage

Item = TypeVar("Item")

_PATIENCE = 0.004  # seconds that an item may stall the leader; it may take as long again until that is noticed
_WAIT = 0.5  # seconds that the leader waits for work, at most


class _Idle:
    """An idle thread, blocked on its lock until it is given a job."""

    __slots__ = ("job", "lock")

    def __init__(self) -> None:
        self.job: Callable[[], None] | None = None
        self.lock = threading.Lock()
        self.lock.acquire()

    def give(self, job: Callable[[], None] | None) -> None:
        """Wake it to run ``job``; None ends it."""
        self.job = job
        self.lock.release()


class LeaderFollowers(Generic[Item]):
    """The threads of one server, started on demand; the one that became idle last works next, as its caches are warm.

    They are daemon threads: a process that has waited long enough for its requests exits, whatever they still do.

    Arguments:
        work: called with an item, by the leader.
        work_aside: the same, called by another thread; default: ``work``.
        detach: called by the leader with an item that goes to another thread, so that ``wait`` no longer reports it.
        inline: whether the leader may work on an item itself.
        limit: how many items are worked on at once; None for no limit.
        idle_timeout: seconds after which an idle thread ends; -1 for never.
        name: prefix of the threads' names.
        log: gets the exceptions raised by an item's work.
    """

    def __init__(
        self,
        work: Callable[[Item], None],
        *,
        work_aside: Callable[[Item], None] | None = None,
        detach: Callable[[Item], None] = lambda item: None,
        inline: Callable[[Item], bool] = lambda item: True,
        limit: int | None = None,
        idle_timeout: float = -1,
        name: str,
        log: logging.Logger,
    ) -> None:
        self._wait: Callable[[float], None] = lambda seconds: None
        self._wake: Callable[[], None] = lambda: None
        self._work, self._work_aside = work, work_aside or work
        self._detach = detach
        self._inline = inline
        self._limit = limit
        self._idle_timeout = idle_timeout
        self._name = name
        self._log = log
        self.workload = Workload()
        self._monitor = Monitor(self._stalled, patience=_PATIENCE)
        self._lock = threading.Lock()  # for the next six
        self._items: deque[Item] = deque()
        self._held: Item | None = None  # what the leader works on
        self._working = self._started = 0
        self._idle: list[_Idle] = []
        self._stopping = False
        self._waiting = threading.Lock()  # held by the leader while it waits
        self._failure: BaseException | None = None
        self._bell = threading.Lock()  # free when `supervise` is to return
        self._bell.acquire()

    def start(self, wait: Callable[[float], None], wake: Callable[[], None]) -> None:
        """Start leading. New threads inherit the signal mask of the thread that starts them.

        Arguments:
            wait: called by the leader with a timeout in seconds; waits for items and calls `put` with each.
            wake: makes ``wait`` return; may be called by any thread.
        """
        self._wait, self._wake = wait, wake
        self._monitor.start()
        self.employ(self._lead)

    def put(self, item: Item) -> None:
        """Queue an item; called by ``wait``, or while an item is worked on."""
        self._items.append(item)  # atomic; readers hold the lock

    def release(self, item: Item) -> bool:
        """Finish an item, in ``work``; returns False if it was detached meanwhile, as this thread no longer leads."""
        with self._lock:
            held = self._held is item
            if held:
                self._held = None
        return held

    def employ(self, job: Callable[[], None]) -> None:
        """Run ``job`` in a thread of its own.

        Raises:
            RuntimeError: there can be no more threads.
        """
        self._hire().give(job)

    def ring(self) -> None:
        """Make `supervise` return; safe in a signal handler."""
        with contextlib.suppress(RuntimeError):  # it was rung already
            self._bell.release()

    def supervise(self, seconds: float) -> None:
        """Wait for ``seconds``, or until `ring` is called.

        Raises:
            BaseException: what ``wait`` raised in the leader, which has ended by it.
        """
        self._bell.acquire(timeout=seconds)
        if self._failure is not None:
            raise self._failure

    def shutdown(self, wait: bool = True) -> None:
        """End the threads once they have finished their current items.

        Arguments:
            wait: until the leader has left ``wait``. False takes no lock, for a signal handler.
        """
        self._stopping = True
        if not wait:
            return
        self._monitor.stop()
        with self._lock:
            for thread in self._idle:
                thread.give(None)
            self._idle.clear()
        self._wake()
        with self._waiting:
            pass

    # -- threads ------------------------------------------------------------------------------------------------------

    def _hire(self) -> _Idle:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            self._started += 1
            name = f"{self._name}-{self._started}"
        hired = _Idle()
        threading.Thread(target=self._run, args=(hired,), name=name, daemon=True).start()
        return hired

    def _run(self, thread: _Idle) -> None:
        thread.lock.acquire()
        while (job := thread.job) is not None:
            job()
            thread.job = None
            if not self._become_idle(thread):
                return

    def _become_idle(self, thread: _Idle) -> bool:
        """Work on items queued beyond the limit, then wait for a job; returns whether to go on."""
        while self._limit is not None and not self._stopping and (item := self._take()) is not None:
            self._do(self._work_aside, item)
        with self._lock:
            if self._stopping:
                return False
            self._idle.append(thread)
        if not thread.lock.acquire(timeout=self._idle_timeout):
            with self._lock:
                if thread in self._idle:
                    self._idle.remove(thread)
                    return False
            thread.lock.acquire()  # a job was given at the last moment
        return True

    def _take(self) -> Item | None:
        """The next item, if the limit allows one more; the caller must then call `_do`."""
        with self._lock:
            if not self._items or (self._limit is not None and self._working >= self._limit):
                return None
            self._working += 1
            return self._items.popleft()

    def _do(self, work: Callable[[Item], None], item: Item) -> None:
        try:
            work(item)
        except BaseException:
            # Including SystemExit: sys.exit() in a view ends its request, not this thread.
            self._log.exception("Exception in a request's thread")
        with self._lock:
            self._working -= 1

    # -- the leader ---------------------------------------------------------------------------------------------------

    def _lead(self) -> None:
        """Wait and work by turns until another thread has taken the lead."""
        try:
            while not self._stopping:
                item = self._next()
                if item is None:
                    with self._waiting:
                        if not self._stopping:
                            self._wait(_WAIT)
                elif not self._do_inline(item):
                    return
        except BaseException as error:
            self._log.exception("Exception in the thread that waits for requests")
            self._failure = error
            self.ring()

    def _next(self) -> Item | None:
        """The next item for the leader itself; those before it are handed to other threads."""
        blocking = self.workload.blocking()
        while (item := self._take()) is not None:
            if not blocking and self._inline(item):
                break
            try:
                thread = self._hire()
            except RuntimeError:  # there can be no more threads
                break
            self._detach(item)
            thread.give(partial(self._do, self._work_aside, item))
        return item

    def _do_inline(self, item: Item) -> bool:
        """Work on an item as the leader; returns whether this thread still leads."""
        self._held = item  # first: from here on another thread may take the lead
        turn = self._monitor.begin()
        began = usage()
        self._do(self._work, item)
        if not self._monitor.end(turn):
            return False
        self.workload.record(began, usage())
        return True

    def _stalled(self, turn: int) -> bool:
        try:
            self.employ(partial(self._take_lead, turn))
        except RuntimeError:  # there can be no more threads: the leader has to go on
            return False
        return True

    def _take_lead(self, turn: int) -> None:
        if self._monitor.end(turn):
            with self._lock:
                if self._held is not None:
                    self._detach(self._held)
                    self._held = None
            self.workload.record_stall()
            self._lead()

"""Threads of which one, the leader, waits for requests and answers them itself; the others answer those that block.

The pattern is Leader/Followers (Schmidt et al., Pattern-Oriented Software Architecture 2). There, a leader promotes its
successor before it works. In Python that costs several switches between threads that want the interpreter, which is
more than a small request does; so a leader goes on leading while requests are short. When one stalls it, the monitor
has another thread take the lead; while requests mostly block, the leader leaves all of them to the others.

Everything that two threads decide by is read and changed under a lock; nothing relies on the interpreter's.
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

_PATIENCE = 0.004  # seconds that an item may stall the leader; up to as many more until that is noticed
_WAIT = 0.5  # seconds that the leader waits for something to do, at most


class _Idle:
    """A thread without work; it waits until the lock is free."""

    __slots__ = ("job", "lock")

    def __init__(self) -> None:
        self.job: Callable[[], None] | None = None
        self.lock = threading.Lock()
        self.lock.acquire()

    def give(self, job: Callable[[], None] | None) -> None:
        """Have it work on ``job``; None to end it."""
        self.job = job
        self.lock.release()


class LeaderFollowers(Generic[Item]):
    """The threads of one server: started when they are needed; who became idle last works next, its memory is warm.

    They are daemons: a process that has waited long enough for requests ends, whatever they still do.

    Arguments:
        work: called with an item, by the leader.
        work_aside: the same, by another thread; ``work`` when it is not given.
        detach: called by the leader with an item that another thread works on: `start`'s ``wait`` is not to find it.
        inline: whether an item is better worked on by the leader, if it is short.
        limit: how many items are worked on at once; None for any number.
        idle_timeout: seconds after which a thread without work ends; -1 for never.
        name: of the threads, with a number behind it.
        log: told of what an item's work has raised.
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
        """Begin to wait. Threads take over the signal mask of the one that starts them.

        Arguments:
            wait: called by the leader, with seconds: waits so long at most, and calls `put`.
            wake: makes it return; may be called by any thread.
        """
        self._wait, self._wake = wait, wake
        self._monitor.start()
        self.employ(self._lead)

    def put(self, item: Item) -> None:
        """Have an item worked on; to be called by ``wait``, or while an item is worked on."""
        self._items.append(item)  # atomic; who looks at it holds the lock

    def release(self, item: Item) -> bool:
        """Be done with an item, in ``work``; returns False when the thread does not lead any more: it was detached."""
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
        """Make `supervise` return; may be called by a signal handler."""
        with contextlib.suppress(RuntimeError):  # it was rung already
            self._bell.release()

    def supervise(self, seconds: float) -> None:
        """Wait so long, or until somebody rings.

        Raises:
            BaseException: what ``wait`` has raised; nobody leads any more.
        """
        self._bell.acquire(timeout=seconds)
        if self._failure is not None:
            raise self._failure

    def shutdown(self, wait: bool = True) -> None:
        """Let the threads end when they have done what they are at.

        Arguments:
            wait: until ``wait`` runs no more; without it, for a signal handler, this takes no lock.
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
        """Work on items that were over the limit, then wait for a job; returns whether to go on."""
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
            thread.lock.acquire()  # a job comes at the last moment
        return True

    def _take(self) -> Item | None:
        """The next item, if it may be worked on now; `_do` is to follow."""
        with self._lock:
            if not self._items or (self._limit is not None and self._working >= self._limit):
                return None
            self._working += 1
            return self._items.popleft()

    def _do(self, work: Callable[[Item], None], item: Item) -> None:
        try:
            work(item)
        except BaseException:
            # Also sys.exit() in a view: it ends its request, not a thread that nobody would miss.
            self._log.exception("Exception in a request's thread")
        with self._lock:
            self._working -= 1

    # -- the leader ---------------------------------------------------------------------------------------------------

    def _lead(self) -> None:
        """Wait and work in turns, until another thread has the lead."""
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
        """The next item for the leader itself; those before it go to other threads."""
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
        """Returns whether this thread still leads."""
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

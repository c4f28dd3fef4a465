"""Notices when an item stalls the leader, so that another thread can take the lead.

Go's runtime does the same: sysmon takes the processor away from a goroutine that is stuck in a system call.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

_IDLE = 0.2  # seconds without a turn after which the monitor sleeps until the next turn


class Monitor:
    """A thread that watches the leader's turns; a turn is one item that the leader works on.

    Turns are numbered: odd during a turn, even between two; numbers are never reused. A turn is ended once, under the
    lock: by the leader, which is done, or by another thread that takes the lead. Whoever ends it leads from then on.

    Arguments:
        stalled: called in the monitor's thread with a turn that has lasted between one and two ``patience``; returns
            whether it has dealt with it. If not, it is called again as long as the turn lasts.
        patience: seconds.
    """

    def __init__(self, stalled: Callable[[int], bool], *, patience: float) -> None:
        self._stalled = stalled
        self._patience = patience
        self._lock = threading.Lock()  # for the two below
        self._turn = 0
        self._awake = False
        self._stopping = False
        self._alarm = threading.Lock()  # free when the monitor has to look, or to stop
        self._alarm.acquire()
        #: What ``stalled`` raised; it ends the thread.
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="tlsrun-monitor", daemon=True)

    def start(self) -> None:
        """Start the thread: in the process that serves, never in one that will fork."""
        self._thread.start()

    def begin(self) -> int:
        """Begin a turn of the leader; returns its number."""
        with self._lock:
            self._turn += 1
            turn = self._turn
            asleep, self._awake = not self._awake, True
        if asleep:
            self._wake()
        return turn

    def end(self, turn: int) -> bool:
        """End a turn, or take over the lead; True for whichever thread came first: it leads from now on."""
        with self._lock:
            if self._turn != turn:
                return False
            self._turn += 1
            return True

    def stop(self, *, wait: bool = False) -> None:
        """Stop the thread.

        Arguments:
            wait: until the thread has ended.
        """
        self._stopping = True
        self._wake()
        if wait and self._thread.ident is not None:
            self._thread.join()

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # it is free already
            self._alarm.release()

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._alarm.acquire()
                self._look()
        except BaseException as error:  # noqa: BLE001 -- for the server, which cannot go on
            self.error = error

    def _look(self) -> None:
        seen, settled, idle = 0, 0, 0.0
        while not self._stopping:
            self._alarm.acquire(timeout=self._patience)
            turn = self._turn
            if turn != seen:
                seen, idle = turn, 0.0
            elif turn % 2:
                if turn != settled and self._stalled(turn):
                    settled = turn
            else:
                idle += self._patience
                if idle >= _IDLE and self._sleeps(turn):
                    return

    def _sleeps(self, turn: int) -> bool:
        with self._lock:  # a turn that begins afterwards wakes
            if self._turn == turn:
                self._awake = False
            return not self._awake

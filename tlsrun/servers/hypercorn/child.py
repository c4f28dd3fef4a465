"""One worker process, as its supervisor has it; and the words that the two have for each other."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable

#: What a worker says: that it serves; that it has answered as many requests as it should (``max_requests``).
READY, ENOUGH = b"r", b"e"
#: What a worker is told: another one serves in its place, and it is to see its clients off.
LEAVE = b"l"

#: Signals that the supervisor has handlers for.
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_START = 30.0  # seconds that a worker has to start


class Child:
    """A worker process, and the connection to it.

    Arguments:
        seat: its place among those that may run at a time; nobody else has the same while it lives.
        run: what it does, with its end of the connection; never returns.
        foreign: descriptors of this process that are none of its business.
        held: signals that it is not to get before it has handlers for them.

    Attributes:
        birth: when it was started, by the clock that never goes back.
        status: its exit status, or minus the signal that ended it; None while it runs.
        ready: it serves.
        has_enough: it asks for another one in its place.
        listens: it has not ended its side of the connection.
    """

    def __init__(
        self,
        seat: int,
        run: Callable[[socket.socket], None],
        foreign: list[socket.socket],
        held: tuple[signal.Signals, ...],
    ) -> None:
        self.seat = seat
        self.link, theirs = socket.socketpair()
        self.birth = time.monotonic()
        self.status: int | None = None
        self.ready = self.has_enough = False
        self.listens = True
        signal.pthread_sigmask(signal.SIG_BLOCK, held)
        try:
            self.pid = os.fork()
            if self.pid == 0:
                signal.set_wakeup_fd(-1)
                for number in HANDLED:
                    signal.signal(number, signal.SIG_DFL)
                for other in (*foreign, self.link):
                    other.close()
                run(theirs)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, held)
        theirs.close()

    def is_ready(self) -> bool:
        """Wait until it serves; False when it has died before, or takes too long."""
        self.link.settimeout(_START)
        self._take()
        return self.ready

    def hear(self) -> None:
        """Take what it has said meanwhile."""
        self.link.settimeout(0)
        self._take()

    def dismiss(self) -> None:
        """Another one serves in its place."""
        with contextlib.suppress(OSError):  # it has died
            self.link.send(LEAVE)

    def is_alive(self) -> bool:
        """Whether it still runs; what is dead is reaped."""
        if self.status is None:
            with contextlib.suppress(ChildProcessError):
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid == 0:
                    return True
                self.status = os.waitstatus_to_exitcode(status)
                return False
            self.status = -1
        return False

    def signal(self, number: int) -> None:
        """Send it a signal."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def bury(self) -> None:
        """Let go of what belonged to it."""
        self.link.close()

    def _take(self) -> None:
        try:
            words = self.link.recv(16)
        except OSError:  # nothing was said
            return
        self.listens = bool(words)
        self.ready = self.ready or READY in words
        self.has_enough = self.has_enough or ENOUGH in words

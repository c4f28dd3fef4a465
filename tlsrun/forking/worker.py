"""A worker process as its supervisor has it; and the words that the two have for each other."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from typing import Protocol

#: What a worker says: that it serves; that it should be replaced.
READY, REPLACE = b"r", b"e"
#: What a worker is told: another one serves in its place, and it is to see its clients off.
LEAVE = b"l"

#: Signals that the supervisor has handlers for.
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
#: Signals that are held back in a worker from its fork until it has handlers of its own, which then unblocks them.
HELD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Closing(Protocol):
    """A socket, mostly."""

    def close(self) -> None: ...


class WorkerProcess:
    """A worker process, and the connection to it. It runs from now on.

    Arguments:
        slot: its place among those that may run at a time; nobody else has the same while it lives.
        run: what it does, with its slot and its end of the connection; in the worker.
        name: of the process.
        foreign: what of this process is none of its business, to be closed in it.

    Raises:
        OSError: there can be no more processes.

    Attributes:
        link: our end of the connection.
        birth: when it was started, by the clock that never goes back.
        pid: its number.
        ready: it serves.
        wants_replacing: it asks for another one in its place.
        listens: it has not ended its side of the connection.
        leave_by: the time by which it is to have left; None while it is to stay.
    """

    def __init__(
        self, slot: int, run: Callable[[int, socket.socket], None], *, name: str, foreign: Iterable[Closing]
    ) -> None:
        self.slot = slot
        self.link, theirs = socket.socketpair()
        self.link.setblocking(False)
        self.birth = time.monotonic()
        self.ready = self.wants_replacing = False
        self.listens = True
        self.leave_by: float | None = None
        to_close = (*foreign, self.link)

        def work() -> None:
            signal.set_wakeup_fd(-1)
            for number in HANDLED:
                signal.signal(number, signal.SIG_DFL)
            for other in to_close:
                other.close()
            with contextlib.suppress(OSError):  # there may be none
                # multiprocessing gives a child an empty one; whoever debugs an application types there.
                sys.stdin = open(0, closefd=False)  # noqa: SIM115
            run(slot, theirs)

        # multiprocessing's, because it ends a worker as a program ends: threads that are no daemons finish. One of
        # its daemons, as test suites start a server, may have no children; its parent ends it by SIGTERM nevertheless.
        if multiprocessing.current_process().daemon:
            multiprocessing.current_process().daemon = False
        self._process = multiprocessing.get_context("fork").Process(target=work, name=name)
        signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
        try:
            self._process.start()
        except OSError:
            self.link.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
            theirs.close()
        self.pid: int = self._process.pid or 0

    def hear(self) -> None:
        """Take what it has said."""
        try:
            words = self.link.recv(16)
        except BlockingIOError:
            return
        except OSError:  # it has gone, and left unread what it was told
            words = b""
        self.listens = bool(words)
        self.ready = self.ready or READY in words
        self.wants_replacing = self.wants_replacing or REPLACE in words

    def dismiss(self, seconds: float) -> None:
        """Another one serves in its place; it has so many seconds to leave."""
        self.leave_by = time.monotonic() + seconds
        with contextlib.suppress(OSError):  # it has ended by itself
            self.link.send(LEAVE)

    @property
    def status(self) -> int | None:
        """Its exit status, or minus the signal that ended it; None while it runs."""
        return self._process.exitcode

    def signal(self, number: int) -> None:
        """Send it a signal."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def bury(self) -> None:
        """Let go of what belonged to it; it has ended."""
        self._process.close()
        self.link.close()

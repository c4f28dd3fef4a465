"""A worker process as seen by its supervisor, and the messages between the two."""

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

#: Messages of a worker: it serves; it asks to be replaced.
READY, REPLACE = b"r", b"e"
#: Message to a worker: its replacement serves, so it is to stop accepting, finish its requests, and end.
LEAVE = b"l"

#: Signals that the supervisor has handlers for.
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
#: Signals that are blocked in a worker from its fork until it has installed its handlers and unblocks them.
HELD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Closing(Protocol):
    """Anything that can be closed; usually a socket."""

    def close(self) -> None: ...


class WorkerProcess:
    """A worker process, and the connection to it; the constructor starts it.

    Arguments:
        slot: its index among all workers; unique while it runs.
        run: called in the worker, with its slot and its end of the connection.
        name: name of the process.
        foreign: what the supervisor has open and the worker must not keep; closed in the worker.

    Raises:
        OSError: the process cannot be forked.

    Attributes:
        link: the supervisor's end of the connection.
        birth: when it was started (``time.monotonic()``).
        pid: its process ID.
        ready: it has sent `READY`.
        wants_replacing: it has sent `REPLACE`.
        listens: it has not closed its end of the connection.
        leave_by: when it is to have ended (``time.monotonic()``); None unless it was dismissed.
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
            with contextlib.suppress(OSError):  # stdin may be closed
                # multiprocessing replaces stdin by /dev/null, where a debugger in the application could not read.
                sys.stdin = open(0, closefd=False)  # noqa: SIM115
            run(slot, theirs)

        # multiprocessing, because it ends a child as a program ends: non-daemon threads finish. Its daemon processes,
        # in which test suites run servers, may have no children; clearing the flag here allows them, and the parent
        # still ends this process by SIGTERM.
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
        """Read the worker's messages."""
        try:
            words = self.link.recv(16)
        except BlockingIOError:
            return
        except OSError:  # ECONNRESET: it has ended without reading our messages
            words = b""
        self.listens = bool(words)
        self.ready = self.ready or READY in words
        self.wants_replacing = self.wants_replacing or REPLACE in words

    def dismiss(self, seconds: float) -> None:
        """Tell it that its replacement serves; it has ``seconds`` to finish its requests and end."""
        self.leave_by = time.monotonic() + seconds
        with contextlib.suppress(OSError):  # it has ended already
            self.link.send(LEAVE)

    @property
    def status(self) -> int | None:
        """Its exit status; if a signal ended it, minus the signal's number; None while it runs."""
        return self._process.exitcode

    def signal(self, number: int) -> None:
        """Send it a signal."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def bury(self) -> None:
        """Release its resources; the process must have ended."""
        self._process.close()
        self.link.close()

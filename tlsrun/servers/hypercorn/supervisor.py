"""The supervisor: forks workers that share everything, replaces those that die, and passes signals on.

No thread and no event loop runs in it, because it forks. (Hypercorn's own starts new interpreters, which import the
application again.)
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from types import FrameType

from tlsrun.listening.notify import READY, STOPPING, Watchdog, notify

_log = logging.getLogger("tlsrun.hypercorn")

_TICK = 1.0  # seconds between two looks at the workers
_PAUSE = 1.0  # seconds after its birth before a worker that died is replaced
_START = 30.0  # seconds that a worker has to start
_MERCY = 5.0  # seconds that a worker has beyond its requests' grace
_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class Child:
    """A worker process, and the connection to it.

    Arguments:
        run: what it does, with its end of the connection; never returns.
        foreign: descriptors of this process that are none of its business.
        held: signals that it is not to get before it has handlers for them.
    """

    def __init__(
        self, run: Callable[[socket.socket], None], foreign: list[socket.socket], held: tuple[signal.Signals, ...]
    ) -> None:
        self.link, theirs = socket.socketpair()
        self.birth = time.monotonic()
        self.status: int | None = None
        signal.pthread_sigmask(signal.SIG_BLOCK, held)
        try:
            self.pid = os.fork()
            if self.pid == 0:
                signal.set_wakeup_fd(-1)
                for number in _HANDLED:
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
        try:
            return self.link.recv(1) != b""
        except OSError:
            return False

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


class Supervisor:
    """Runs the workers until told to stop.

    Arguments:
        run: what worker ``number`` (from 0) does.
        workers: how many.
        grace: seconds that requests have to finish at a stop.
        reload: called for SIGHUP, before the workers hear of it.
        ready: called when every worker serves.
        leave: called at a stop, before the workers hear of it.
        held: signals that a worker is not to get before it has handlers for them.
    """

    def __init__(
        self,
        run: Callable[[int, socket.socket], None],
        *,
        workers: int,
        grace: float,
        reload: Callable[[], object],
        ready: Callable[[], object],
        leave: Callable[[], object],
        held: tuple[signal.Signals, ...],
    ) -> None:
        self._run = run
        self._number = workers
        self._grace = grace
        self._reload = reload
        self._ready = ready
        self._watchdog = Watchdog()
        self._leave = leave
        self._held = held
        self._children: list[Child] = []
        self._stops = 0
        self._reload_asked = False
        self._inbox, self._outbox = os.pipe()
        os.set_blocking(self._outbox, False)
        os.set_blocking(self._inbox, False)

    def serve(self) -> int:
        """Until SIGTERM or SIGINT; requests in flight finish, unless a second one comes.

        Returns:
            0; 1 when a worker could not be started.
        """
        before = {number: signal.getsignal(number) for number in _HANDLED}
        wakeup = signal.set_wakeup_fd(self._outbox, warn_on_full_buffer=False)
        for number in _HANDLED:
            signal.signal(number, self._handle)
        try:
            if not self._start():
                return 1
            self._ready()
            notify(READY)
            while not self._stops:
                self._wait(self._watchdog.within(_TICK))
                self._watchdog.feed()
                self._reload_if_asked()
                self._replace_the_dead()
            return 0
        finally:
            self._stop()
            signal.set_wakeup_fd(wakeup)
            for handled, handler in before.items():
                signal.signal(handled, handler if handler is not None else signal.SIG_DFL)
            os.close(self._inbox)
            os.close(self._outbox)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reload_asked = True
        elif number != signal.SIGCHLD:
            self._stops += 1

    def _start(self) -> bool:
        for number in range(self._number):
            child = self._spawn(number)
            self._children.append(child)
            if not child.is_ready() and not self._stops:
                _log.error("worker %d did not start", number + 1)
                return False
        return True

    def _spawn(self, number: int) -> Child:
        links = [child.link for child in self._children if child.link.fileno() >= 0]
        return Child(lambda link: self._run(number, link), links, self._held)

    def _wait(self, seconds: float) -> None:
        """Until a signal comes, or ``seconds`` are over."""
        if select.select([self._inbox], [], [], seconds)[0]:
            with contextlib.suppress(BlockingIOError):
                os.read(self._inbox, 4096)

    def _reload_if_asked(self) -> None:
        if self._reload_asked:
            self._reload_asked = False
            self._reload()
            for child in self._children:
                child.signal(signal.SIGHUP)

    def _replace_the_dead(self) -> None:
        for number, child in enumerate(self._children):
            if self._stops or child.is_alive() or time.monotonic() - child.birth < _PAUSE:
                continue
            if child.status:
                _log.error("worker %d ended unexpectedly (%s); another one is started", number + 1, child.status)
            child.bury()
            self._children[number] = self._spawn(number)

    def _stop(self) -> None:
        """Tell every worker to stop, wait, and end those that do not in time."""
        notify(STOPPING)
        asked, deadline = self._stops, time.monotonic() + self._grace + _MERCY
        self._leave()
        for child in self._children:
            child.signal(signal.SIGTERM)
        while any([child.is_alive() for child in self._children]):
            if time.monotonic() > deadline or self._stops > max(asked, 1):
                for child in self._children:
                    child.signal(signal.SIGKILL)
            self._wait(0.1)
        for child in self._children:
            child.bury()
        self._children.clear()

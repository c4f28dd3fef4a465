"""gunicorn's master process, whose SIGHUP executes the program again; the old workers serve until the new ones do."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterable
from typing import Any

from gunicorn.arbiter import Arbiter

from tlsrun import deferred_signals
from tlsrun.handover import Old, is_anew
from tlsrun.listening.notify import STOPPING, Watchdog, hide, notify, serves, show
from tlsrun.reloading.predecessors import Predecessors
from tlsrun.reloading.reload import LOOK, Reload

_START = 30.0  # seconds for new workers to start; after that the old ones are told to stop in any case
_MERCY = 5.0  # seconds for an old worker beyond the grace period of its requests


class Readiness:
    """How workers tell their master that they serve: a byte from each. To be made before the fork."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        for end in (self._reading, self._writing):
            os.set_blocking(end, False)
        self._ready = 0

    def say(self) -> None:
        """Report, from a worker, that it serves."""
        with contextlib.suppress(OSError):
            os.write(self._writing, b"r")

    def count(self) -> int:
        """How many workers have reported so far; for the master."""
        with contextlib.suppress(BlockingIOError):
            self._ready += len(os.read(self._reading, 4096))
        return self._ready


class ReloadingArbiter(Arbiter):  # type: ignore[misc]  # gunicorn ships no types
    """The master, with a reload that loads the code again, and systemd's notifications and watchdog."""

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        # By ``sys.argv`` alone, `python -m tlsrun` would be run as the file of that name in its own folder.
        self.START_CTX["args"] = [sys.executable, *sys.orig_argv[1:]]
        self._watchdog = Watchdog()
        self._reload = Reload(
            self._handed_over, otherwise=self._reload_as_it_is, waits=lambda: not self.SIG_QUEUE.empty()
        )
        self._predecessors = Predecessors()
        self._deadline = time.monotonic() + _START

    def start(self) -> None:
        """As gunicorn's. After a reload, systemd hears that it is over when new workers serve, and not before."""
        hidden = hide() if is_anew() else None
        try:
            super().start()
        finally:
            show(hidden)

    def init_signals(self) -> None:
        """As gunicorn's; signals that came while this program was executed again are delivered now."""
        super().init_signals()
        deferred_signals.deliver()

    def handle_hup(self) -> None:
        """SIGHUP: have the program executed again; while a second master runs after SIGUSR2, do what gunicorn does,
        which keeps the loaded code."""
        if self.reexec_pid or self.master_pid:
            self.log.warning("Another master runs since SIGUSR2: workers are replaced, the code stays")
            super().handle_hup()
        else:
            self._reload.ask()

    def wait_for_signals(self, timeout: float = 1.0) -> list[Any]:
        """As gunicorn's; this is where the master waits."""
        self._watchdog.feed()
        if self._reload.is_trying or self._predecessors.serve:
            timeout = LOOK
        found: list[Any] = super().wait_for_signals(self._watchdog.within(timeout))
        self._look_after_the_old()
        return found

    def murder_workers(self) -> None:
        """As gunicorn's; called when signals have been handled."""
        super().murder_workers()
        # One at a time: another reload waits while workers of the previous program still serve.
        if not self._predecessors.serve and self._reload.step():
            self.cfg.on_reload(self)
            self._reload.execute(old=self._old())

    def stop(self, graceful: bool = True) -> None:
        """As gunicorn's, and for the workers of the previous program too."""
        if not self.reexec_pid:
            notify(STOPPING)
        self._reload.stop()
        self._predecessors.hurry(self.cfg.graceful_timeout if graceful else 0)
        super().stop(graceful)
        deadline = time.monotonic() + self.cfg.graceful_timeout
        while self._predecessors.living and time.monotonic() < deadline:
            self._predecessors.look()
            self.wait_for_signals(LOOK)
        self._predecessors.kill()

    def _look_after_the_old(self) -> None:
        self._predecessors.look()
        if is_anew() and self._deadline and self._all_serve():
            self._deadline = 0.0
            self._predecessors.retire()
            serves()

    def _all_serve(self) -> bool:
        return self.app.readiness.count() >= self.num_workers or time.monotonic() > self._deadline

    def _handed_over(self) -> Iterable[socket.socket]:
        return [one.sock for one in self.LISTENERS]

    def _old(self) -> Iterable[Old]:
        patience = self.cfg.graceful_timeout + _MERCY
        pids = [*self.WORKERS, *([self.dirty_arbiter_pid] if self.dirty_arbiter_pid else [])]
        return [*self._predecessors.living, *(Old(pid=pid, patience=patience) for pid in pids)]

    def _reload_as_it_is(self) -> None:
        super().handle_hup()

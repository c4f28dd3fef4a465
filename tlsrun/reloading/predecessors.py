"""The old processes after a reload: they serve until the new ones do, then finish their requests and exit."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterable

from tlsrun.handover import Old, received

_log = logging.getLogger("tlsrun.reload")

_LOOK = 0.5  # seconds between two checks


class Predecessors:
    """The old processes, which are still children of this one.

    Arguments:
        old: the processes; None for those that were handed over.
    """

    def __init__(self, old: Iterable[Old] | None = None) -> None:
        self._living = list(received().old if old is None else old)
        self._looking = threading.Lock()  # the built-in server checks in two threads
        self._deadlines: dict[int, float] = {}
        self._folders = received().folders if old is None else ()
        for one in self._living:
            if one.link is not None:
                os.set_inheritable(one.link, False)

    @property
    def serve(self) -> bool:
        """Whether some have not been told to stop."""
        return any(one.pid not in self._deadlines for one in self._living)

    @property
    def living(self) -> tuple[Old, ...]:
        """Those that still run."""
        return tuple(self._living)

    def retire(self) -> None:
        """Tell them to finish their requests and exit, and delete their files; the new ones serve now."""
        now = time.monotonic()
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)
        for one in self._living:
            if one.pid not in self._deadlines:
                self._deadlines[one.pid] = now + one.patience
                _tell(one)

    def look(self) -> None:
        """Reap those that have exited; kill those that take too long."""
        with self._looking:
            now = time.monotonic()
            for one in list(self._living):
                if not _is_alive(one.pid):
                    self._living.remove(one)
                    _log.info("reload: process %d of the program before has ended", one.pid)
                    self._deadlines.pop(one.pid, None)
                    _let_go(one)
                elif now > self._deadlines.get(one.pid, now):
                    _signal(one.pid, signal.SIGKILL)

    def hurry(self, seconds: float) -> None:
        """At a stop: give each at most ``seconds`` from now."""
        self.retire()
        end = time.monotonic() + seconds
        for one in self._living:
            self._deadlines[one.pid] = min(self._deadlines[one.pid], end)
            _signal(one.pid, signal.SIGTERM)

    def see_off(self, seconds: float = math.inf) -> None:
        """Wait until all have exited, for at most ``seconds``."""
        tick, end = threading.Event(), time.monotonic() + seconds
        while self._living and time.monotonic() < end:
            self.look()
            tick.wait(_LOOK)

    def forget(self) -> None:
        """In a forked process: close the links, so that the old ones notice when the server is gone."""
        for one in self._living:
            _let_go(one)
        self._living.clear()

    def kill(self) -> None:
        """Kill them at once."""
        for one in self._living:
            _signal(one.pid, signal.SIGKILL)


def _let_go(one: Old) -> None:
    if one.link is not None:
        with contextlib.suppress(OSError):
            os.close(one.link)


def _tell(one: Old) -> None:
    if one.link is None or not one.word:
        _signal(one.pid, signal.SIGTERM)
        return
    with contextlib.suppress(OSError):  # it has exited by itself
        os.write(one.link, one.word.encode())


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _is_alive(pid: int) -> bool:
    """Whether a child still runs, reaping it otherwise; False for a process that is not our child."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    except ChildProcessError:
        return False

"""A reload by SIGHUP, in the server's main process: a trial, then the program is executed again."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from tlsrun import deferred_signals
from tlsrun.handover import Handover, Old
from tlsrun.listening.inherited import moved
from tlsrun.listening.notify import needs, notify, reloading, serves
from tlsrun.reloading.program import Program, find_program
from tlsrun.reloading.trial import DEADLINE, Outcome, Trial

_log = logging.getLogger("tlsrun.reload")

#: Seconds between two checks of a trial.
LOOK = 0.1
_IMPORT = 2 * DEADLINE  # seconds for which systemd's watchdog waits for the new program


class Reload:
    """The reloads of a server. It needs no thread, and does not block.

    Arguments:
        sockets: returns the sockets to lend to a trial and to hand over.
        otherwise: reads the certificates if the program cannot be run again; None if that is not needed.
        waits: whether a signal has arrived that takes precedence, such as one that stops the server.
        server: the only server that the new program may be; "" for any.
        main: the number of the process that serves; 0 for this one.
        watchdog: seconds between systemd's keep-alive pings; None to find out.
    """

    def __init__(
        self,
        sockets: Callable[[], Iterable[socket.socket]],
        otherwise: Callable[[], object] | None = None,
        *,
        waits: Callable[[], bool] = lambda: False,
        server: str = "",
        main: int = 0,
        watchdog: float | None = None,
    ) -> None:
        self._waits = waits
        self._passed = False
        self._sockets = sockets
        self._server, self._main, self._watchdog = server, main, watchdog
        self._otherwise = otherwise
        self._asked = False
        self._trial: Trial | None = None
        self._program: Program | None = None

    @property
    def is_trying(self) -> bool:
        """Whether a trial runs, so that `step` must be called each `LOOK` seconds."""
        return self._trial is not None

    @property
    def asked(self) -> bool:
        """Whether a reload was requested that has not begun."""
        return self._asked

    def ask(self) -> None:
        """Request a reload. Signal handlers may call it; several requests count as one until it begins."""
        self._asked = True

    def step(self) -> bool:
        """Do what is due; returns whether `execute` is to be called now."""
        if self._passed:
            return True
        if self._trial is None:
            if not self._asked:
                return False
            self._asked = False
            self._begin()
        if self._trial is None:
            return False
        outcome = self._trial.outcome()
        if outcome is None:
            return False
        self._trial = None
        return self._judge(outcome)

    def execute(
        self,
        *,
        old: Iterable[Old] = (),
        folders: Iterable[str] = (),
        state: Mapping[str, Any] | None = None,
        lent: Iterable[int] = (),
    ) -> None:
        """Execute the program again, in the main thread.

        It returns if that is impossible, which is logged, or if a signal arrived at the last moment, which would be
        lost with this program. Then the signal is to be handled first, and `step` returns True again.

        Arguments:
            old: the processes that serve until the new ones do.
            folders: private folders that the new program does not need.
            state: what the server wants to find again.
            lent: the descriptors that ``state`` refers to.
        """
        assert self._program is not None  # noqa: S101 -- `step` has found it
        deferred_signals.block()
        if self._waits():
            self._passed = True
            deferred_signals.unblock()
            return
        self._passed = False
        if self._asked:
            # Another request: something may have changed after the trial read it. The signal stays pending over
            # exec(2).
            os.kill(os.getpid(), signal.SIGHUP)
        handover = replace(
            self._handover(), old=tuple(old), folders=tuple(folders), state=state or {}, lent=tuple(lent)
        )
        self._refuse(self._program.execute(handover))

    def stop(self) -> None:
        """Stop a running trial, since the server stops."""
        self._passed = False
        if self._trial is not None:
            self._trial.stop()
            self._trial = None

    def _begin(self) -> None:
        notify(reloading(time.monotonic_ns() // 1000))
        found = find_program()
        if isinstance(found, str):
            if self._otherwise is not None:
                self._otherwise()
            _log.warning(
                "SIGHUP: the code stays, because this program cannot be run again: %s. %sFor new code, start it from a "
                "file, or stop it and start it again",
                found,
                "The certificates were read. " if self._otherwise else "",
            )
            serves(self._watchdog)
            return
        self._program = found
        try:
            self._trial = Trial(found, self._handover())
        except OSError as error:
            who = f" by the user {os.geteuid()}" if isinstance(error, PermissionError) else ""
            self._refuse(f"{found.command[0]} cannot be started{who}: {error.strerror or error}")
            return
        _log.info("reload: the program is tried first")

    def _judge(self, outcome: Outcome) -> bool:
        if outcome.objection is not None:
            self._refuse(outcome.objection)
            return False
        _log.info("reload: the program would serve (%.1f s); it is executed anew", outcome.seconds)
        # No pings are sent while the program is imported, and before that the last requests may have to finish.
        needs(_IMPORT, self._watchdog)
        return True

    def _refuse(self, why: str) -> None:
        _log.error("not reloaded, what runs goes on: %s", why)
        serves(self._watchdog)

    def _handover(self) -> Handover:
        numbers = tuple(sock.fileno() for sock in self._sockets() if sock.fileno() >= 0)
        return Handover(sockets=numbers, moved=moved(numbers), server=self._server, main=self._main)

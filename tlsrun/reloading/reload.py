"""What SIGHUP begins, in the process that was started: a trial, then the program executed anew, or words why not."""

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

#: Seconds between two looks at a trial.
LOOK = 0.1
_IMPORT = 2 * DEADLINE  # seconds that systemd's watchdog is to wait for the program that is executed anew


class Reload:
    """The reloads of one server. No thread runs in it, and nothing blocks.

    Arguments:
        sockets: those that are lent to a trial, and handed over.
        otherwise: reads the certificates, where the program cannot be run again; None where they are watched alone.
        waits: whether a signal has come that is to be acted on first, such as one that ends the server.
        server: the only server that the new program can be; "" for any.
        main: the number of the process that serves; 0 for this one.
        watchdog: seconds between two signs of life that systemd asks for; None to find out.
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
        """Whether a trial runs: then `step` is to be called each `LOOK` seconds."""
        return self._trial is not None

    @property
    def asked(self) -> bool:
        """Whether somebody wants one that has not begun."""
        return self._asked

    def ask(self) -> None:
        """A reload is wanted. May be called by a signal handler; several are one, as long as none has begun."""
        self._asked = True

    def step(self) -> bool:
        """Do what is to be done now; returns whether the time has come to execute the program anew."""
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
        """Execute the program anew; in the main thread.

        Returns only when that is impossible, which is logged; or when a signal came in the last moment, which would be
        lost with this program. Then it is to be acted on, and `step` says the same again.

        Arguments:
            old: the processes that serve on until the new ones do.
            folders: private ones that are of no use to the new program.
            state: what the server wants to find again.
            lent: the descriptors that are named there.
        """
        assert self._program is not None  # noqa: S101 -- `step` has found it
        deferred_signals.block()
        if self._waits():
            self._passed = True
            deferred_signals.unblock()
            return
        self._passed = False
        if self._asked:
            # Who asked meanwhile may have changed something after the trial had read it. It waits over exec(2).
            os.kill(os.getpid(), signal.SIGHUP)
        handover = replace(
            self._handover(), old=tuple(old), folders=tuple(folders), state=state or {}, lent=tuple(lent)
        )
        self._refuse(self._program.execute(handover))

    def stop(self) -> None:
        """End a trial that runs: the server is to stop."""
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
                "file, or stop it and start it again", found, "The certificates were read. " if self._otherwise else "",
            )  # fmt: skip
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
        # Nobody gives signs of life while it is imported in earnest, and before that the last requests may have to end.
        needs(_IMPORT, self._watchdog)
        return True

    def _refuse(self, why: str) -> None:
        _log.error("not reloaded, what runs goes on: %s", why)
        serves(self._watchdog)

    def _handover(self) -> Handover:
        numbers = tuple(sock.fileno() for sock in self._sockets() if sock.fileno() >= 0)
        return Handover(sockets=numbers, moved=moved(numbers), server=self._server, main=self._main)

"""A trial: the program as it is now, run in a process of its own until it would serve, and no further.

It is the very command line, so what fails in it is what would fail in earnest: the import of the application, a
setting, a certificate. The sockets that are open already are lent to it; it accepts nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from tlsrun.errors import ConfigurationError
from tlsrun.handover import Handover, received
from tlsrun.reloading.program import Program

#: Seconds that it has. systemd gives a reload 90 (TimeoutStartSec=), and the program is then imported once more.
DEADLINE = 60.0
_END = 5.0  # seconds that it has to end once it has said that all is well
_SHOWN = 16384  # bytes of what it wrote last that are shown
_WELL = b"+"


class Passed(SystemExit):
    """A trial has come as far as it should; ends the program."""


def ends_here(last: Callable[[], object] = lambda: None) -> None:
    """In a trial, end the program: all is well. Else nothing happens.

    To be called by each server when nothing more can be wrong, and before it opens anything.

    Arguments:
        last: what is to be tried in a trial alone, because the server does it later; it may raise.

    Raises:
        Passed: always in a trial, when ``last`` raises nothing.
    """
    report = received().trial
    if report is not None:
        last()
        with contextlib.suppress(OSError):
            os.write(report, _WELL)
        raise Passed(0)


def check_server(name: str) -> None:
    """See that a server of this name can take the place of the one that runs; always, outside of a trial.

    Raises:
        ConfigurationError: it cannot.
    """
    only = received().server if received().trial is not None else ""
    if only and name != only:
        what = f"it names {name} now, and {only} runs, in whose place nothing else can be executed"
        raise ConfigurationError.of(where="server", what=what, remedy="Stop it, and start it again")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a trial went.

    Arguments:
        objection: why the program would not serve, with what it wrote; None when it would.
        seconds: that it took.
    """

    objection: str | None
    seconds: float


class Trial:
    """One that runs.

    Arguments:
        program: what to run.
        lent: what it is to have, as if it were executed in earnest.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, program: Program, lent: Handover) -> None:
        self._began = time.monotonic()
        self._reading, writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 -- closed in _finish
        self._well_at: float | None = None
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- itself
                program.command,
                cwd=program.folder,
                env=program.environ_with(replace(lent, trial=writing)),
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                pass_fds=(writing, *lent.sockets),
                start_new_session=True,
            )
        except OSError:
            os.close(self._reading)
            self._output.close()
            raise
        finally:
            os.close(writing)

    def fileno(self) -> int:
        """Readable when there may be an outcome."""
        return self._reading

    def outcome(self) -> Outcome | None:
        """How it went; None while it runs. Not to be asked again after an answer."""
        now = time.monotonic()
        # First whether it is gone: then all that it had to say is there.
        gone = self._is_gone()
        if self._well_at is None and self._heard():
            self._well_at = now
        if self._well_at is not None:
            if not gone and now - self._well_at < _END:
                return None
            return self._finish(None)
        if gone:
            return self._finish("it ended before it would have served")
        if now - self._began >= DEADLINE:
            return self._finish(f"it was not ready to serve within {DEADLINE:g} s")
        return None

    def stop(self) -> None:
        """End it, whatever it has come to."""
        self._finish(None)

    def _heard(self) -> bool:
        try:
            return os.read(self._reading, 1) == _WELL
        except OSError:
            return False

    def _is_gone(self) -> bool:
        """Somebody else may have waited for it already: gunicorn waits for every child that there is."""
        if not hasattr(os, "waitid"):  # macOS, before Python 3.13
            return self._process.poll() is not None
        try:
            return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def _finish(self, objection: str | None) -> Outcome:
        # Also what it has started: programs of the application's, which nobody else would end.
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        if objection is not None:
            written = self._written()
            ended = f" (exit code {code})" if code > 0 else ""
            objection = f"{objection}{ended}{':' if written else ''}\n{written}".rstrip()
        os.close(self._reading)
        self._output.close()
        return Outcome(objection=objection, seconds=time.monotonic() - self._began)

    def _written(self) -> str:
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - _SHOWN))
        return self._output.read().decode(errors="replace").strip()

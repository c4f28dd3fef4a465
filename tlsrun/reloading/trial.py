"""A trial: the program, run in a separate process up to the point where it would serve.

It runs the same command line, so it fails where a real start would: at the import of the application, a setting, a
certificate. It gets the sockets that are already open, and does not accept connections.
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

#: Time limit in seconds. systemd gives a reload 90 (TimeoutStartSec=), in which the program is imported twice.
DEADLINE = 60.0
_END = 5.0  # seconds for it to exit after it has reported success
_SHOWN = 16384  # bytes at the end of its output that are logged
_WELL = b"+"


class Passed(SystemExit):
    """Ends the program after a successful trial."""


def ends_here(last: Callable[[], object] = lambda: None) -> None:
    """End the program if it is a trial, which has succeeded.

    Each server calls it when nothing more can fail, before it opens anything.

    Arguments:
        last: called in a trial only, for what the server does later; it may raise.

    Raises:
        Passed: in a trial, unless ``last`` raises.
    """
    report = received().trial
    if report is not None:
        last()
        with contextlib.suppress(OSError):
            os.write(report, _WELL)
        raise Passed(0)


def check_server(name: str) -> None:
    """In a trial, check that this server can replace the running one.

    Raises:
        ConfigurationError: it cannot.
    """
    only = received().server if received().trial is not None else ""
    if only and name != only:
        what = f"it names {name} now, and {only} runs, in whose place nothing else can be executed"
        raise ConfigurationError.of(where="server", what=what, remedy="Stop it, and start it again")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a trial.

    Arguments:
        objection: why the program would not serve, with its output; None if it would.
        seconds: how long it took.
    """

    objection: str | None
    seconds: float


class Trial:
    """A running trial.

    Arguments:
        program: the program to run.
        lent: the handover, as for a real execution.

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
        """A descriptor that becomes readable when `outcome` may return a result."""
        return self._reading

    def outcome(self) -> Outcome | None:
        """The result; None while it runs. Must not be called again after a result."""
        now = time.monotonic()
        # Check first whether it is gone: then all of its report is there.
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
        """Kill it."""
        self._finish(None)

    def _heard(self) -> bool:
        try:
            return os.read(self._reading, 1) == _WELL
        except OSError:
            return False

    def _is_gone(self) -> bool:
        """Whether it has exited. Somebody else may have waited for it already: gunicorn waits for every child."""
        if not hasattr(os, "waitid"):  # macOS, before Python 3.13
            return self._process.poll() is not None
        try:
            return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def _finish(self, objection: str | None) -> Outcome:
        # The whole group: the application may have started programs that nobody else would stop.
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

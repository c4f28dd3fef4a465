"""Start a real program, wait until it is ready, keep its log, and end it with everything it started."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

Value = TypeVar("Value")

ROOT = Path(__file__).resolve().parents[2]
#: What the tests start servers with.
APPLICATIONS = ROOT / "tests/applications"

#: Seconds that a test waits for what will come. Long, because only a failure ever waits so long, and a machine that is
#: busy with other things must not make one; where a time is promised, a test measures it.
PATIENCE = 60.0


def eventually(predicate: Callable[[], Value], deadline: float = PATIENCE, *, what: str = "") -> Value:
    """Ask ``predicate`` until it says something true, and return that.

    Who asks shall not keep what is asked for from coming: a predicate that takes long is asked less often, so that it
    takes a third of a processor at most.

    Raises:
        AssertionError: it did not within ``deadline`` seconds, in which the time that it took itself does not count.
    """
    tick = threading.Event()
    begun = time.monotonic()
    for _ in range(max(1, int(deadline / 0.02))):
        asked = time.monotonic()
        if value := predicate():
            return value
        now = time.monotonic()
        if now - begun > 3 * deadline + 30:
            break
        tick.wait(min(max(0.02, 2 * (now - asked)), 0.5))
    raise AssertionError(f"not within {deadline} s: {what or predicate}")


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a started program: this one's, unbuffered output, and our packages importable."""
    variables = {**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
    try:
        importlib.metadata.version("tlsrun")
    except importlib.metadata.PackageNotFoundError:
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), variables.get("PYTHONPATH")]))
    return {**variables, **(extra or {})}


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    input: str | None = None,
    deadline: float = 2 * PATIENCE,
) -> subprocess.CompletedProcess[str]:
    """Run a program that ends by itself; its output is text, and it never asks the terminal."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment(env),
        input="" if input is None else input,
        capture_output=True,
        text=True,
        timeout=deadline,
        check=False,
        start_new_session=True,
    )


def until_replaced(processes: Callable[[], set[int]], gone: Iterable[int], count: int) -> None:
    """Wait until ``count`` processes run, and none of them is one of ``gone``.

    A process that was killed is there for a moment yet. Who asks for a new one by numbers alone, or asks twice, may
    take it for its successor.
    """

    def replaced() -> bool:
        now = processes()
        return len(now) == count and now.isdisjoint(gone)

    eventually(replaced, what="processes in the place of others")


def in_time(action: Callable[[], Value], seconds: float, *, tries: int = 5) -> Value:
    """Do ``action`` until it once takes less than ``seconds``, and return what it returned then.

    A time that a server promises is asked for more than once, because now and then the machine takes its own.

    Raises:
        AssertionError: it never did; the message has the times.
    """
    took = []
    for _ in range(tries):
        began = time.monotonic()
        value = action()
        took.append(time.monotonic() - began)
        if took[-1] < seconds:
            return value
    raise AssertionError(f"never within {seconds} s: {took}")


class Server:
    """A program in a session of its own; leaving the block ends it and all it started.

    Leaving sends SIGTERM to the program, as a service manager does; then to what it left behind; then SIGKILL, and
    fails when that was needed. When the block fails, the log is written to stderr, where pytest shows it.

    Arguments:
        command: the program and its arguments.
        env: added to this process's environment.
        cwd: where it runs.
        grace: seconds it may take to end, and what it left behind again.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        grace: float = PATIENCE / 2,
    ) -> None:
        self.command = [str(word) for word in command]
        self.mark = f"SERVER_UNDER_TEST={uuid.uuid4()}"
        self.env = dict([self.mark.split("=")], **environment(env))
        self.cwd = cwd
        self.grace = grace

    def __enter__(self) -> Server:
        with tempfile.NamedTemporaryFile(prefix="server-", suffix=".log", delete=False) as log:
            self.log_path = Path(log.name)
            self.process = subprocess.Popen(
                self.command,
                cwd=self.cwd,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = self._end()
        if kind is not None or left:
            sys.stderr.write(f"\n----- {' '.join(self.command)} -----\n{self.log()}\n-----\n")
        self.log_path.unlink()
        if kind is None:
            assert not left, f"still there {self.grace} s after SIGTERM: {left}"

    @property
    def pid(self) -> int:
        """Of the program itself, which leads its process group."""
        return self.process.pid

    def log(self) -> str:
        """What it has written so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, predicate: Callable[[], Value], deadline: float = PATIENCE, *, what: str = "") -> Value:
        """As ``eventually``, but give up at once when the program has ended."""

        def alive_and_true() -> Value:
            value = predicate()
            if not value and self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}, waiting for {what}:\n{self.log()}")
            return value

        return eventually(alive_and_true, deadline, what=what)

    def until_logged(self, text: str, deadline: float = PATIENCE) -> None:
        """Wait until ``text`` stands in its log."""
        self.wait_for(lambda: text in self.log(), deadline, what=f"log with {text!r}")

    def until_tls(self, address: tuple[str, int], deadline: float = PATIENCE) -> Server:
        """Wait until ``address`` completes a TLS handshake (any certificate will do)."""
        self.wait_for(lambda: _shakes_hands(address), deadline, what=f"TLS on {address}")
        return self

    def until_listening(self, address: tuple[str, int], deadline: float = PATIENCE) -> Server:
        """Wait until ``address`` accepts a connection."""
        self.wait_for(lambda: _accepts(address), deadline, what=f"a listener on {address}")
        return self

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send a signal to the program alone, as a service manager or ``kill`` would."""
        self.process.send_signal(number)

    def wait(self, deadline: float = PATIENCE / 2) -> int:
        """Wait until it ends by itself, and return its exit code."""
        try:
            return self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {deadline} s:\n{self.log()}") from None

    def members(self) -> list[int]:
        """Processes it started, those that left its session included, that still run."""
        mark = self.mark.encode()
        return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _belongs(entry, self.pid, mark)]

    def until_gone(self, deadline: float = 10) -> None:
        """Wait until none of its processes runs; one that was killed is there for a moment yet."""
        eventually(self._gone, deadline, what="the end of all its processes")

    def _end(self) -> list[int]:
        """End everything it started; return those that SIGTERM did not end."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            self._comes(lambda: self.process.poll() is not None)
        self._signal_group(signal.SIGTERM)
        if self._comes(self._gone):
            return []
        left = self.members()
        self._signal_group(signal.SIGKILL)
        for pid in left:  # some may have left the group
            _kill(pid)
        eventually(self._gone, what="the end of its processes after SIGKILL")
        return left

    def _comes(self, state: Callable[[], bool]) -> bool:
        """Whether ``state`` is reached within the grace."""
        try:
            return eventually(state, self.grace)
        except AssertionError:
            return False

    def _gone(self) -> bool:
        return self.process.poll() is not None and not self.members()

    def _signal_group(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return


def handles(pid: int, number: int) -> bool:
    """Whether the process has a handler for the signal (SigCgt in proc(5)).

    A server that is told to stop before it has them may lose the word, or its workers may.
    """
    try:
        caught = re.search(r"^SigCgt:\t(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return False
    return caught is not None and bool(int(caught[1], 16) >> (number - 1) & 1)


def thread_states(pid: int) -> list[str]:
    """The state of each thread of it that there is, one letter (field 3 of proc_pid_stat(5))."""
    states = []
    with contextlib.suppress(OSError):
        for number in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                states.append(Path(f"/proc/{pid}/task/{number}/stat").read_text().rpartition(")")[2].split()[0])
    return states


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _belongs(entry: Path, session: int, mark: bytes) -> bool:
    """Whether /proc/<pid> is a process (no zombie) of the session or carries the mark (proc(5))."""
    try:
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
        marked = mark in (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return fields[0] not in "ZX" and (marked or int(fields[3]) == session)


def _accepts(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=2).close()
    except OSError:
        return False
    return True


def _shakes_hands(address: tuple[str, int]) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    # Wrapped before it connects: see tests.support.clients.tls_connect.
    with context.wrap_socket(socket.socket(family)) as tls:
        tls.settimeout(2)
        try:
            tls.connect(address)
        except OSError:
            return False
        return tls.version() is not None

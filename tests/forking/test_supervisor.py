"""A supervisor waits for nobody: not for a worker that starts, and not for one that leaves."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.process import ROOT, Server, until_replaced

Serve = Callable[..., AbstractContextManager[Server]]


@pytest.fixture
def toy(tmp_path: Path) -> Serve:
    """Starts the server of `tests.forking.toy`, with files for it."""

    @contextlib.contextmanager
    def start(*files: str, flags: tuple[str, ...] = (), until: str = "serving") -> Iterator[Server]:
        for file in files:
            (tmp_path / file).touch()
        with Server([sys.executable, "-m", "tests.forking.toy", tmp_path, *flags], cwd=ROOT) as server:
            server.until_logged(until)
            yield server

    return start


def workers(server: Server) -> set[int]:
    return set(server.members()) - {server.pid}


def outdate(folder: Path, pids: set[int]) -> None:
    """Have these workers replaced."""
    (folder / "new").write_text(" ".join(map(str, pids)))
    (folder / "new").rename(folder / "outdated")


def test_a_stop_while_it_starts(toy: Serve) -> None:
    """It does not wait until the worker serves, which it may never do."""
    with toy("mute", until="Spawning worker-1") as server:
        server.signal(signal.SIGTERM)
        assert server.wait(20) == 0
        assert "worker-2" not in server.log()


def test_workers_are_replaced_one_by_one(toy: Serve, tmp_path: Path) -> None:
    """Each serves until another does in its place; so there is one more at a time, and never one less."""
    with toy() as server:
        before = workers(server)
        outdate(tmp_path, before)
        until_replaced(lambda: workers(server), before, 2)
        server.until_logged("Stopped worker-2")
        log = server.log()
        for name in ("worker-1", "worker-2"):
            assert log.rindex(f"Spawning {name}") < log.index(f"Stopped {name}")
        assert log.rindex("Spawning worker-1") < log.index("Respawning worker-2")
        server.signal(signal.SIGTERM)
        assert server.wait(20) == 0


def test_one_that_never_serves_keeps_nobody_waiting(toy: Serve, tmp_path: Path) -> None:
    """While it starts in the place of another, one that dies is replaced, and a stop is heard."""
    with toy() as server:
        before = workers(server)
        (tmp_path / "mute").touch()
        outdate(tmp_path, before)
        server.until_logged("Respawning worker-1")
        server.wait_for(lambda: server.log().count("Spawning worker-1") == 2, what="the one that never serves")
        assert before < workers(server)
        second = int(server.log().split("Spawning worker-2 with PID: ")[1].split()[0])
        os.kill(second, signal.SIGKILL)
        server.until_logged("worker-2 ended unexpectedly (-9); another one is started")
        server.signal(signal.SIGTERM)
        assert server.wait(20) == 0


def test_one_that_does_not_leave_in_time_is_killed(toy: Serve, tmp_path: Path) -> None:
    """It has its time; the log says whose requests did not finish."""
    with toy("stays") as server:
        before = workers(server)
        outdate(tmp_path, before)
        until_replaced(lambda: workers(server), before, 2)
        server.until_logged("Killing worker-2: its requests have not finished")
        server.signal(signal.SIGTERM)
        assert server.wait(20) == 0


def test_a_worker_ends_as_a_program_does(toy: Serve, tmp_path: Path) -> None:
    """Threads of the application that are no daemons finish first."""
    with toy("busy") as server:
        before = workers(server)
        server.signal(signal.SIGTERM)
        assert server.wait(20) == 0
    assert {int(path.name[5:]) for path in tmp_path.glob("done-*")} == before


def test_a_worker_has_the_input_of_the_program(tmp_path: Path) -> None:
    """So that a person who debugs the application can type there."""
    (tmp_path / "ask").touch()
    command = ["bash", "-c", f'exec "$0" -m tests.forking.toy {tmp_path} <<< "hello"', sys.executable]
    with Server(command, cwd=ROOT) as server:
        server.until_logged("a worker reads: hello")


def test_under_a_daemon_of_multiprocessing(toy: Serve) -> None:
    """As test suites start a server, whose daemons may have no children."""
    with toy(flags=("daemon",)) as server:
        server.until_logged("daemon: ")
        pid = int(server.log().split("daemon: ")[1].split()[0])
        os.kill(pid, signal.SIGTERM)
        assert server.wait(20) == 0
        assert server.log().count("Stopped") == 2
        assert "Traceback" not in server.log()

"""Runs something in a child process: for a file that it cannot use, Granian's Rust code aborts the whole process."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import resource
import select
import signal
import time
import traceback
from collections.abc import Callable
from typing import NoReturn

_PATIENCE = 15.0  # seconds before the child is killed

#: Prefixes of the lines that a Rust panic prints around its message.
_BESIDE = ("note:", "thread ", "stack backtrace:")


def objection_to(attempt: Callable[[], object]) -> str | None:
    """Call ``attempt`` in a child process.

    Returns:
        None if it returned there; otherwise why not, from what the child wrote.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _attempt(attempt, writing)
    os.close(writing)
    try:
        said, over = _read(reading)
    finally:
        os.close(reading)
        if not over:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if not over:
        return f"it did not come to an end within {_PATIENCE:g} seconds"
    return None if status == 0 else _words(said) or f"it ended the process (wait status {status})"


def _attempt(attempt: Callable[[], object], writing: int) -> NoReturn:
    status = 1
    try:
        faulthandler.disable()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        attempt()
        status = 0
    except BaseException:  # noqa: BLE001 -- the child must never return into the forked program
        os.write(writing, traceback.format_exc(limit=0).encode())
    finally:
        os._exit(status)


def _read(reading: int) -> tuple[str, bool]:
    """Read until EOF; returns what was read, and whether EOF came in time."""
    said, deadline = b"", time.monotonic() + _PATIENCE
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    while poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        part = os.read(reading, 65536)
        if not part:
            return said.decode(errors="replace"), True
        said += part
    return said.decode(errors="replace"), False


def _words(said: str) -> str:
    """The message of a panic or an exception, on one line."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith(_BESIDE)]
    return " ".join(lines).removeprefix("called `Result::unwrap()` on an `Err` value: ")[:300]

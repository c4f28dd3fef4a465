"""SIGHUP, held back in uWSGI's master while it executes itself anew.

From exec(2) until it has handlers again, SIGHUP would end it; and what comes before, when the keeper has gone already,
would be lost. A blocked signal waits, also over exec(2) (signal(7)). No other process can block one for the master, and
no hook of uWSGI's runs at the right moment. So it watches two files (``hook-touch``), by each of which it calls a
function of its own: one blocks SIGHUP, one lets it through.

When it starts, uWSGI 2.0.30 unblocks all signals, and ignores SIGHUP from then on (uwsgi_setup in its core/uwsgi.c).
What has waited until then goes to Python's handler, which writes it down; a millisecond later it is blocked again::

    blocked ─► exec(2) ─► uwsgi_setup: written down │ ignored │ hook-asap: blocked ─► hook-master-start: heard
"""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

from tlsrun.servers.uwsgi.board import wait
from tlsrun.servers.uwsgi.place import Place

_ANSWER = 3.0  # seconds in which the master looks at its files; it does so once in a second
_BLOCKED = re.compile(r"^SigBlk:\t(\w+)$", re.MULTILINE)


_pipe: tuple[int, int] | None = None


def hear() -> None:
    """In a process that was forked while the master held it back, once it has a handler: what came comes now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])


def write_down() -> tuple[int, int]:
    """What uWSGI lets through before it has handlers is kept; to be called before it runs.

    Returns:
        descriptors that it is not to close (``safe-fd``).
    """
    global _pipe
    _pipe = os.pipe()
    os.set_blocking(_pipe[1], False)
    # The interpreter's own handler writes there, also where no Python runs (signal.set_wakeup_fd).
    signal.signal(signal.SIGHUP, lambda *_: None)
    signal.set_wakeup_fd(_pipe[1], warn_on_full_buffer=False)
    return _pipe


def take_up() -> None:
    """Have what was written down wait for the handlers; to be called in the master before it forks."""
    global _pipe
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    if _pipe is None:
        return
    signal.set_wakeup_fd(-1)
    reading, writing = _pipe
    _pipe = None
    os.close(writing)
    if signal.SIGHUP in os.read(reading, 4096):
        os.kill(os.getpid(), signal.SIGHUP)
    os.close(reading)


class Hold:
    """What the keeper has the master do.

    Arguments:
        place: where the files are.
        master: the number of its process.
    """

    def __init__(self, place: Place, master: int) -> None:
        self._place = place
        self._master = master

    def begin(self) -> bool:
        """Have SIGHUP wait; returns whether it does."""
        return self._touch(self._place.hold, blocked=True)

    def end(self) -> bool:
        """Have it heard; returns whether it is."""
        return self._touch(self._place.let_go, blocked=False)

    def _touch(self, path: str, *, blocked: bool) -> bool:
        if _is_blocked(self._master) is blocked:
            return True
        # uWSGI compares whole seconds.
        later = os.stat(path).st_mtime + 2
        os.utime(path, (later, later))

        def has_heard() -> bool:
            # Wakes it; else it looks once in a second.
            os.kill(self._master, signal.SIGCHLD)
            return _is_blocked(self._master) is blocked

        return wait(has_heard, _ANSWER)


def _is_blocked(pid: int) -> bool | None:
    """Whether SIGHUP is blocked in its main thread (SigBlk in proc_pid_status(5)); None where nobody can tell."""
    try:
        found = _BLOCKED.search(Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return None
    return found is not None and bool(int(found[1], 16) >> (signal.SIGHUP - 1) & 1)

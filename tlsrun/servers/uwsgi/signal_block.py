"""Block signals in uWSGI's master while it executes itself again: SIGHUP, and finally those that stop the server.

From exec(2) until it has handlers again, they would end it; and one that comes before, when the control mule has gone
already, would be lost. A blocked signal stays pending, also over exec(2) (signal(7)). No other process can block one
for the master, and no hook of uWSGI's runs at the right moment. So the master watches files (``hook-touch``), each of
which has it call a function of its own: one blocks SIGHUP, one what stops the server, one unblocks all.

The new program records what it finds until it runs uWSGI (`tlsrun.deferred_signals`), so that nothing that the
application starts inherits blocked signals. When it starts, uWSGI 2.0.30 unblocks all signals, and ignores SIGHUP and
SIGTERM from then on (uwsgi_setup in its core/uwsgi.c). What has come until then goes to Python's handler, which records
it; a millisecond later all are blocked again, until the master has handlers that pass them on to the control mule::

    blocked ─► exec(2) ─► recorded ─► uwsgi_setup: recorded │ ignored │ hook-asap: blocked ─► hook-master-start: handled

They stay blocked while the master forks, for its own first handlers (kill_them_all, in core/master.c) would end some of
its processes and leave others to nobody. So each process unblocks them itself as soon as it can: a worker in uWSGI's
``post_fork_hook``, a mule when it has handlers, and what uWSGI starts by a shell, such as ``attach-daemon``, through a
shell of ours (`tlsrun.servers.uwsgi.shell`).

What is left is the millisecond in which SIGTERM and SIGHUP are ignored, and not blocked: the kernel throws such a
signal away when it is sent (kernel/signal.c, sig_ignored), so that no thread, descriptor or process of ours ever hears
of it, and nothing of ours runs there. SIGINT is not ignored, and stops the server as SIGTERM does.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from pathlib import Path

from tlsrun import deferred_signals
from tlsrun.servers.uwsgi.place import Place
from tlsrun.servers.uwsgi.service import RELOAD, STOP
from tlsrun.servers.uwsgi.shared_state import wait

_ANSWER = 3.0  # seconds for the master to notice a touched file; it looks once a second
_SIGNALS = (RELOAD, *STOP)
_BLOCKED = re.compile(r"^SigBlk:\t(\w+)$", re.MULTILINE)


_pipe: tuple[int, int] | None = None


def unblock(*numbers: signal.Signals) -> None:
    """Unblock signals in a process that was forked while the master had them blocked; those pending are delivered now.

    Arguments:
        numbers: which ones; all of them if none is given.
    """
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers or _SIGNALS)


def record() -> tuple[int, int]:
    """Record the signals that uWSGI lets through before it blocks them; call this before it runs.

    Returns:
        the descriptors that uWSGI must not close (``safe-fd``).
    """
    global _pipe
    _pipe = os.pipe()
    for unblock_all in _pipe:
        os.set_blocking(unblock_all, False)
    # Nothing comes between the handlers and the pipe, where it would be lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    for number in _SIGNALS:
        signal.signal(number, lambda *_: None)
    # The interpreter's own handler writes there, also where no Python runs (signal.set_wakeup_fd).
    signal.set_wakeup_fd(_pipe[1], warn_on_full_buffer=False)
    deferred_signals.deliver()
    unblock()
    return _pipe


def redeliver() -> None:
    """Send the recorded signals again, so that they wait for the handlers; call this in the master before it forks."""
    if _pipe is None:
        return
    # They are blocked already (``hook-asap``).
    signal.set_wakeup_fd(-1)
    with contextlib.suppress(BlockingIOError):
        for number in os.read(_pipe[0], 4096):
            os.kill(os.getpid(), number)


class SignalBlock:
    """Has the master block signals, and unblock them, on behalf of the control mule.

    Arguments:
        place: where the files are.
        master: the number of its process.
    """

    def __init__(self, place: Place, master: int) -> None:
        self._place = place
        self._master = master

    @property
    def is_over(self) -> bool:
        """Whether the master has its handlers and blocks nothing; also true where that cannot be known."""
        return not _is_blocked(self._master, RELOAD)

    def block_reload(self) -> bool:
        """Block SIGHUP; returns whether it is blocked."""
        return self._touch(self._place.block_reload_file, RELOAD, blocked=True)

    def block_stop(self) -> bool:
        """Also block the signals that stop the server, as nobody is left to act on them; returns whether they are."""
        return self._touch(self._place.block_stop_file, *STOP, blocked=True)

    def unblock_all(self) -> bool:
        """Unblock all of them; returns whether they are unblocked."""
        return self._touch(self._place.unblock_file, RELOAD, *STOP, blocked=False)

    def _touch(self, path: str, *numbers: signal.Signals, blocked: bool) -> bool:
        def is_so() -> bool:
            return all(_is_blocked(self._master, number) is blocked for number in numbers)

        if is_so():
            return True
        # uWSGI compares whole seconds.
        later = os.stat(path).st_mtime + 2
        os.utime(path, (later, later))

        def has_heard() -> bool:
            # Wakes the master, which would otherwise look once a second.
            os.kill(self._master, signal.SIGCHLD)
            return is_so()

        return wait(has_heard, _ANSWER)


def _is_blocked(pid: int, number: signal.Signals) -> bool | None:
    """Whether it is blocked in its main thread (SigBlk in proc_pid_status(5)); None where nobody can tell."""
    try:
        found = _BLOCKED.search(Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return None
    return found is not None and bool(int(found[1], 16) >> (number - 1) & 1)

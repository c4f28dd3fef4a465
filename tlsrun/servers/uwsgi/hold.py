"""Signals, held back in uWSGI's master while it executes itself anew: SIGHUP, and in the end what stops the server.

From exec(2) until it has handlers again, they would end it; and what comes before, when the keeper has gone already,
would be lost. A blocked signal waits, also over exec(2) (signal(7)). No other process can block one for the master, and
no hook of uWSGI's runs at the right moment. So it watches files (``hook-touch``), by each of which it calls a function
of its own: one blocks SIGHUP, one what stops the server, one lets all through.

The new program records what it finds until it runs uWSGI (`tlsrun.deferred_signals`), so that nothing that the
application starts inherits blocked signals. When it starts, uWSGI 2.0.30 unblocks all signals, and ignores SIGHUP and SIGTERM from then on
(uwsgi_setup in its core/uwsgi.c). What has come until then goes to Python's handler, which writes it down; a
millisecond later all are blocked again, until the master has handlers that pass them on to the keeper::

    blocked ─► exec(2) ─► noted ─► uwsgi_setup: written down │ ignored │ hook-asap: blocked ─► hook-master-start: heard

They stay blocked while the master forks, for its own first handlers (kill_them_all, in core/master.c) would end some of
its processes and leave others to nobody. So each process hears them itself as soon as it can: a worker in uWSGI's
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
from tlsrun.servers.uwsgi.board import wait
from tlsrun.servers.uwsgi.place import Place
from tlsrun.servers.uwsgi.service import RELOAD, STOP

_ANSWER = 3.0  # seconds in which the master looks at its files; it does so once in a second
_HELD = (RELOAD, *STOP)
_BLOCKED = re.compile(r"^SigBlk:\t(\w+)$", re.MULTILINE)


_pipe: tuple[int, int] | None = None


def hear(*numbers: signal.Signals) -> None:
    """In a process that was forked while the master held them back: what came comes now.

    Arguments:
        numbers: which; all of them where none is named.
    """
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers or _HELD)


def write_down() -> tuple[int, int]:
    """What uWSGI lets through before it blocks it is kept; to be called before it runs.

    Returns:
        descriptors that it is not to close (``safe-fd``).
    """
    global _pipe
    _pipe = os.pipe()
    for end in _pipe:
        os.set_blocking(end, False)
    # Nothing comes between the handlers and the pipe, where it would be lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    for number in _HELD:
        signal.signal(number, lambda *_: None)
    # The interpreter's own handler writes there, also where no Python runs (signal.set_wakeup_fd).
    signal.set_wakeup_fd(_pipe[1], warn_on_full_buffer=False)
    deferred_signals.deliver()
    hear()
    return _pipe


def take_up() -> None:
    """Have what was written down wait for the handlers; to be called in the master before it forks."""
    if _pipe is None:
        return
    # They are blocked already (``hook-asap``).
    signal.set_wakeup_fd(-1)
    with contextlib.suppress(BlockingIOError):
        for number in os.read(_pipe[0], 4096):
            os.kill(os.getpid(), number)


class Hold:
    """What the keeper has the master do.

    Arguments:
        place: where the files are.
        master: the number of its process.
    """

    def __init__(self, place: Place, master: int) -> None:
        self._place = place
        self._master = master

    @property
    def is_over(self) -> bool:
        """Whether the master has handlers, and hears everything; so too where nobody can tell."""
        return not _is_blocked(self._master, RELOAD)

    def begin(self) -> bool:
        """Have SIGHUP wait; returns whether it does."""
        return self._touch(self._place.hold, RELOAD, blocked=True)

    def begin_last(self) -> bool:
        """Have what stops the server wait, too: nobody is left to act on it. Returns whether it does."""
        return self._touch(self._place.hold_stop, *STOP, blocked=True)

    def end(self) -> bool:
        """Have all of it heard; returns whether it is."""
        return self._touch(self._place.let_go, RELOAD, *STOP, blocked=False)

    def _touch(self, path: str, *numbers: signal.Signals, blocked: bool) -> bool:
        def is_so() -> bool:
            return all(_is_blocked(self._master, number) is blocked for number in numbers)

        if is_so():
            return True
        # uWSGI compares whole seconds.
        later = os.stat(path).st_mtime + 2
        os.utime(path, (later, later))

        def has_heard() -> bool:
            # Wakes it; else it looks once in a second.
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

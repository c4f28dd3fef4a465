"""Signals, held back in uWSGI's master while it executes itself anew: SIGHUP, and in the end what stops the server.

From exec(2) until it has handlers again, they would end it; and what comes before, when the keeper has gone already,
would be lost. A blocked signal waits, also over exec(2) (signal(7)). No other process can block one for the master, and
no hook of uWSGI's runs at the right moment. So it watches files (``hook-touch``), by each of which it calls a function
of its own: one blocks SIGHUP, one what stops the server, one lets all through.

The new program notes what it finds until it runs uWSGI (`tlsrun.held`), so that nothing that the application starts
inherits blocked signals. When it starts, uWSGI 2.0.30 unblocks all signals, and ignores SIGHUP and SIGTERM from then on
(uwsgi_setup in its core/uwsgi.c). What has come until then goes to Python's handler, which writes it down; a
millisecond later they are blocked again::

    blocked ─► exec(2) ─► noted ─► uwsgi_setup: written down │ ignored │ hook-asap: blocked ─► hook-master-start: heard

SIGTERM and SIGINT are blocked no more when the master forks, for what workers start would inherit that; what comes
until the master has handlers is written down again, and read by the keeper. That leaves two moments of a few
milliseconds: the one above in which SIGTERM is ignored, and the one from the master's spawning to hook-master-start, in
which uWSGI's own handler acts on it.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from pathlib import Path

from tlsrun import held
from tlsrun.servers.uwsgi.board import wait
from tlsrun.servers.uwsgi.place import Place
from tlsrun.servers.uwsgi.service import RELOAD, STOP

_ANSWER = 3.0  # seconds in which the master looks at its files; it does so once in a second
_BLOCKED = re.compile(r"^SigBlk:\t(\w+)$", re.MULTILINE)


_pipe: tuple[int, int] | None = None


def hear() -> None:
    """In a process that was forked while the master held them back, once it has handlers: what came comes now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [RELOAD, *STOP])


def write_down() -> tuple[int, int]:
    """What uWSGI lets through before it has handlers is kept; to be called before it runs.

    Returns:
        descriptors that it is not to close (``safe-fd``).
    """
    global _pipe
    _pipe = os.pipe()
    for end in _pipe:
        os.set_blocking(end, False)
    # The interpreter's own handler writes there, also where no Python runs (signal.set_wakeup_fd).
    _have_it_written(RELOAD, *STOP)
    signal.set_wakeup_fd(_pipe[1], warn_on_full_buffer=False)
    held.release()
    return _pipe


def take_up() -> None:
    """Have what was written down wait for the handlers; to be called in the master before it forks."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [RELOAD])
    _have_it_written(*STOP)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)
    if _pipe is None:
        return
    for number in written_down():
        if number == RELOAD:
            os.kill(os.getpid(), number)
        else:
            os.write(_pipe[1], bytes([number]))


def written_down() -> bytes:
    """The numbers of the signals that have come, and are to be acted on by who asks; each is told once."""
    if _pipe is None:
        return b""
    try:
        return os.read(_pipe[0], 4096)
    except BlockingIOError:
        return b""


def write_no_more() -> None:
    """In a process that the master has forked: the signals of its own are nobody else's."""
    with contextlib.suppress(ValueError):  # set by somebody else meanwhile, or not the main thread
        signal.set_wakeup_fd(-1)


def _have_it_written(*numbers: signal.Signals) -> None:
    for number in numbers:
        signal.signal(number, lambda *_: None)


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

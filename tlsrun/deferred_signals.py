"""Signals that arrive while the program is executed anew: blocked, then recorded, then delivered to the server.

Between exec(2) and the moment when a server has installed its handlers, SIGHUP and SIGTERM would end the process. The
signal mask is kept over exec(2), and blocked signals stay pending (signal(7))::

    block() ─► exec(2) ─► the first import of tlsrun: record() ─► the application is imported ─► the server: deliver()

They are not left blocked until the server is there: programs that the application starts would inherit the mask.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

#: Signals that end a process without a handler, and that servers handle.
SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGHUP", "SIGTERM", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
)

_recorded: list[int] = []
_recording_pid: int | None = None


def block() -> None:
    """Block them in this thread, which is about to call exec(2)."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def unblock() -> None:
    """Unblock them; pending ones are handled now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def record() -> None:
    """Record signals, which would end the process. Call it in the main thread of a program that was executed anew."""
    global _recording_pid
    _recording_pid = os.getpid()
    for number in SIGNALS:
        signal.signal(number, _record)
    unblock()


def is_recording() -> bool:
    """Whether signals are being recorded, as no server can handle them yet."""
    return _recording_pid is not None


def recorded() -> tuple[int, ...]:
    """The signals that have arrived since `record`, each once."""
    return tuple(dict.fromkeys(_recorded))


def deliver() -> None:
    """Deliver what was recorded to the handlers that are installed now; does nothing if `record` was not called.

    Where our own handler was not replaced, the default is restored.
    """
    global _recording_pid
    if _recording_pid is None:
        return
    _recording_pid = None
    for number in SIGNALS:
        if signal.getsignal(number) is _record:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    found, _recorded[:] = recorded(), []
    for number in found:
        os.kill(os.getpid(), number)


def _record(number: int, frame: FrameType | None) -> None:
    if os.getpid() == _recording_pid:
        _recorded.append(number)
        return
    # In a process that the application has forked meanwhile: the signal is not meant for the server.
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)

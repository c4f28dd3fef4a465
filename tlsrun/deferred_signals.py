"""Signals that come while the program is executed anew: blocked, then recorded, then delivered to the server.

Between exec(2) and the moment when a server has handlers, SIGHUP and SIGTERM would end the process. What is blocked
stays so over exec(2), and what came meanwhile waits (signal(7))::

    block() ─► exec(2) ─► the first import of tlsrun: record() ─► the application is imported ─► the server: deliver()

They are not left blocked until the server is there: what the application starts meanwhile would inherit that.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

#: What ends a process that has no handler, and means something to a server.
SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGHUP", "SIGTERM", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
)

_recorded: list[int] = []
_recording_pid: int | None = None


def block() -> None:
    """Block them, in this thread, which is to call exec(2)."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def unblock() -> None:
    """Unblock them; what came meanwhile is handled now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def record() -> None:
    """Record what comes instead of ending. Call it in the main thread of a program that was executed anew."""
    global _recording_pid
    _recording_pid = os.getpid()
    for number in SIGNALS:
        signal.signal(number, _record)
    unblock()


def is_recording() -> bool:
    """Whether signals are being recorded, as no server is there yet to handle them."""
    return _recording_pid is not None


def recorded() -> tuple[int, ...]:
    """The signals that have come since `record`, each once."""
    return tuple(dict.fromkeys(_recorded))


def deliver() -> None:
    """Deliver what was recorded to the handlers that are in place now; does nothing where `record` was not called.

    A handler of ours that nobody has replaced gives way to the default.
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
    # A process that the application has forked meanwhile: the signals are not the server's.
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)

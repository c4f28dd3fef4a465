"""Signals that come while a program is executed anew: held back, then noted, then heard by the server.

Between exec(2) and the moment when a server has handlers, SIGHUP and SIGTERM would end the process. What is blocked
stays so over exec(2), and what came meanwhile waits (signal(7))::

    hold() ─► exec(2) ─► the first import of tlsrun: note() ─► the application is imported ─► the server: release()

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

_noted: list[int] = []
_noting: int | None = None


def hold() -> None:
    """Block them, in this thread, which is to call exec(2)."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def let_go() -> None:
    """Unblock them; what came meanwhile is handled now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def note() -> None:
    """Write down what comes, in place of ending. In the main thread of a program that was executed anew."""
    global _noting
    _noting = os.getpid()
    for number in SIGNALS:
        signal.signal(number, _note)
    let_go()


def is_noting() -> bool:
    """Whether signals are written down, because no server is there yet that hears them."""
    return _noting is not None


def noted() -> tuple[int, ...]:
    """What has come since `note`; each once."""
    return tuple(dict.fromkeys(_noted))


def release() -> None:
    """Have what was noted handled by the handlers that are in place now; nothing where nothing was noted.

    A handler of ours that nobody has replaced gives way to the default.
    """
    global _noting
    if _noting is None:
        return
    _noting = None
    for number in SIGNALS:
        if signal.getsignal(number) is _note:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    found, _noted[:] = noted(), []
    for number in found:
        os.kill(os.getpid(), number)


def _note(number: int, frame: FrameType | None) -> None:
    if os.getpid() == _noting:
        _noted.append(number)
        return
    # A process that the application has forked meanwhile: the signals are not the server's.
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)

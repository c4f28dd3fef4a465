"""SIGTERM, SIGINT and SIGHUP, heard at once whatever the main thread is at."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from types import FrameType, TracebackType
from typing import Any

from tlsrun import deferred_signals

#: Ctrl-Break is what a program on Windows can send another one at its console.
_STOPS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name))
#: What asks for a reload; None on Windows.
RELOAD: int | None = getattr(signal, "SIGHUP", None)
_CREDENTIALS: int | None = getattr(socket, "SO_PASSCRED", None)  # Linux tells who wrote
_UCRED = struct.Struct("3i")
_WOKEN, _GIVE_UP = 0.5, 3.0  # seconds for a main thread that was woken; and until it is given up, where it cannot be
_REPEAT = 0.1  # seconds after which a main thread that did not hear is called again
_SWALLOWED = 1.0  # seconds after which one that heard, and goes on, is called once more, when it is wanted again


class StopSignals:
    """SIGTERM and SIGINT, as long as the block runs, tell ``stop``; a second SIGINT is a KeyboardInterrupt.

    Outside the main thread, where Python takes no signals, nothing is done.

    Arguments:
        stop: called by the handler, between any two instructions of the main thread: it may take no lock.

    Attributes:
        last: the signal that came last; None before one came.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._before: dict[int, Any] = {}
        self.last: int | None = None

    def __enter__(self) -> StopSignals:
        self._before = _handled_by(self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        again = self.last == signal.SIGINT and number == signal.SIGINT
        if again:
            raise KeyboardInterrupt
        self.last = number
        self._stop()


class HeardSignals:
    """SIGTERM, SIGINT and SIGHUP, as long as the block runs, for a thread that waits for them.

    SIGHUP asks for a reload; but where the terminal has gone that this program was started at, it means the end, as it
    does for every program that is started there.

    CPython runs handlers in the main thread, between two of its instructions. A signal that comes just before that
    thread goes to sleep, or in the C code of a library, would wait until the application is done with what it does.
    What the interpreter's own handler writes at the moment of the signal is heard at once (signal.set_wakeup_fd).
    A process that the application forks has neither: its signals are not the server's.

    Outside the main thread, where Python takes no signals, none comes.

    Arguments:
        reload: whether SIGHUP is listened for.
    """

    def __init__(self, *, reload: bool = True) -> None:
        self._numbers = (*_STOPS, *([RELOAD] if reload and RELOAD is not None else []))
        self._had_terminal = _has_terminal()
        self._before: dict[int, Any] = {}
        self._reading, self._writing = socket.socketpair()
        self._writing.setblocking(False)
        if _CREDENTIALS is not None:
            self._reading.setsockopt(socket.SOL_SOCKET, _CREDENTIALS, 1)
        self._former = -1
        self._main = threading.get_ident()
        self._wanted = self._heard = self._spared = False
        self._over = threading.Event()
        self._calling = threading.Lock()

    def __enter__(self) -> HeardSignals:
        global _present
        if threading.current_thread() is threading.main_thread():
            _present = self
            self._former = signal.set_wakeup_fd(self._writing.fileno(), warn_on_full_buffer=False)
            self._before = _handled_by(self._handle, self._numbers)
            deferred_signals.deliver()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        global _present
        self.spare()
        if self._before:
            _present = None
            self.give_back(self._former)
        # Whoever waits for the next one reads the end.
        self._writing.close()

    def next(self) -> int | None:
        """The next signal's number; waits for it. None when the block is over."""
        while data := self._read():
            if data[0] == RELOAD and self._had_terminal and not _has_terminal():
                return signal.SIGTERM
            if data[0] in self._numbers:
                return data[0]
        self._reading.close()
        return None

    def _read(self) -> bytes:
        if _CREDENTIALS is None:
            return self._reading.recv(1)
        while True:
            data, ancillary, _, _ = self._reading.recvmsg(1, socket.CMSG_SPACE(_UCRED.size))
            # A signal that comes to a process between its fork and `_forked` is written here too (unix(7)).
            if all(_UCRED.unpack(sent)[0] == os.getpid() for _, _, sent in ancillary):
                return data

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the main thread, unless it was spared. Called by another thread."""
        if self._heard and self._over.wait(_SWALLOWED):
            return  # it is about to say so
        self._wanted = bool(self._before)
        if not hasattr(signal, "pthread_kill"):
            self._interrupt_or_end()
            return
        while self._call():
            self._over.wait(_REPEAT)

    def _interrupt_or_end(self) -> None:
        """On Windows: nothing but time.sleep() of what a main thread waits in is ended there; then the process is."""
        deadline = time.monotonic() + _GIVE_UP
        while not self._over.wait(_WOKEN) and self._wanted:
            if time.monotonic() >= deadline:
                logging.shutdown()
                os._exit(128 + signal.SIGINT)
            self._call()

    def _call(self) -> bool:
        """Signal the main thread, if it is wanted, and not spared."""
        with self._calling:
            if not self._wanted or self._spared:
                return False
            if hasattr(signal, "pthread_kill"):
                signal.pthread_kill(self._main, signal.SIGINT)
            else:
                signal.raise_signal(signal.SIGINT)  # unlike _thread.interrupt_main(), it ends time.sleep()
            return True

    def forget(self) -> None:
        """What `interrupt` sent was heard too: it is not to come from `next`. Called by the thread that calls that."""
        self._reading.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            self._reading.recv(4096)
        self._reading.setblocking(True)

    def spare(self) -> None:
        """Interrupt the main thread, which calls this, no more: none of our signals comes after it."""
        self._spared = True  # first: from here on the handler raises nothing, whatever has come
        with self._calling:
            self._over.set()

    def give_back(self, wakeup: int) -> None:
        """The handlers that were there before, and this descriptor to wake by."""
        signal.set_wakeup_fd(wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._wanted and not self._spared:
            self._wanted, self._heard = False, True
            raise KeyboardInterrupt
        # An event loop in the application's code may have taken the place (asyncio's add_signal_handler does).
        present = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(present, warn_on_full_buffer=False)
        if present != self._writing.fileno():
            with contextlib.suppress(BlockingIOError):
                self._writing.send(bytes([number]))


#: What hears this process's signals.
_present: HeardSignals | None = None


def _forked() -> None:
    """In a forked process: SIGTERM ends it, and does not tell the server that it came from."""
    if _present is not None:
        _present.give_back(-1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def _handled_by(handler: Callable[[int, FrameType | None], None], numbers: Iterable[int] = _STOPS) -> dict[int, Any]:
    """Install it, in the main thread; returns what was there."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, handler) for number in numbers}


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal (tty(4))."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | getattr(os, "O_NOCTTY", 0)))
    except OSError:
        return False
    return True

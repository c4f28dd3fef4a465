"""SIGTERM, SIGINT and SIGHUP, noticed at once whatever the main thread does."""

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

#: On Windows a program can send Ctrl-Break to another one on its console.
_STOPS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name))
#: The signal for a reload; None on Windows.
RELOAD: int | None = getattr(signal, "SIGHUP", None)
_CREDENTIALS: int | None = getattr(socket, "SO_PASSCRED", None)  # Linux tells the sender
_UCRED = struct.Struct("3i")
_WOKEN, _GIVE_UP = 0.5, 3.0  # seconds for a main thread to react, and until the process is ended if it cannot
_REPEAT = 0.1  # seconds after which a main thread that did not react is signalled again
_SWALLOWED = 1.0  # seconds after which one that reacted, and continues, is signalled once more


class StopSignals:
    """Inside the block, SIGTERM and SIGINT call ``stop``; a second SIGINT raises KeyboardInterrupt.

    Outside the main thread, where Python handles no signals, it does nothing.

    Arguments:
        stop: called in the signal handler, between any two instructions of the main thread, so it must take no lock.

    Attributes:
        last: the last signal; None before the first.
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
    """SIGTERM, SIGINT and SIGHUP inside the block, for a thread that waits for them.

    SIGHUP requests a reload; but if the terminal on which this program was started is gone, it means stop, as for every
    program started there.

    CPython runs handlers in the main thread, between two of its instructions. A signal that arrives just before that
    thread blocks, or in the C code of a library, would wait for the application. The interpreter's own handler,
    however, writes to a descriptor at once (signal.set_wakeup_fd). A process that the application forks has neither,
    since its signals are not for the server.

    Outside the main thread, where Python handles no signals, it does nothing.

    Arguments:
        reload: whether to handle SIGHUP.
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
        # The thread in `next` reads the end of file.
        self._writing.close()

    def next(self) -> int | None:
        """Wait for the next signal and return its number; None at the end of the block."""
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
            # A signal that a child gets between its fork and `_forked` is also written here (unix(7)).
            if all(_UCRED.unpack(sent)[0] == os.getpid() for _, _, sent in ancillary):
                return data

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the main thread, unless `spare` was called. Called by another thread."""
        if self._heard and self._over.wait(_SWALLOWED):
            return  # the main thread is about to finish
        self._wanted = bool(self._before)
        if not hasattr(signal, "pthread_kill"):
            self._interrupt_or_end()
            return
        while self._call():
            self._over.wait(_REPEAT)

    def _interrupt_or_end(self) -> None:
        """On Windows only time.sleep() can be interrupted; if the main thread waits otherwise, end the process."""
        deadline = time.monotonic() + _GIVE_UP
        while not self._over.wait(_WOKEN) and self._wanted:
            if time.monotonic() >= deadline:
                logging.shutdown()
                os._exit(128 + signal.SIGINT)
            self._call()

    def _call(self) -> bool:
        """Signal the main thread, if it is to be interrupted and `spare` was not called."""
        with self._calling:
            if not self._wanted or self._spared:
                return False
            if hasattr(signal, "pthread_kill"):
                signal.pthread_kill(self._main, signal.SIGINT)
            else:
                signal.raise_signal(signal.SIGINT)  # unlike _thread.interrupt_main(), it ends time.sleep()
            return True

    def forget(self) -> None:
        """Drop the signals that `interrupt` sent, for `next`; called by the same thread as that."""
        self._reading.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            self._reading.recv(4096)
        self._reading.setblocking(True)

    def spare(self) -> None:
        """Do not interrupt the main thread any more; it calls this itself."""
        self._spared = True  # first: from here on the handler raises nothing
        with self._calling:
            self._over.set()

    def give_back(self, wakeup: int) -> None:
        """Restore the previous handlers, and set the wake-up descriptor."""
        signal.set_wakeup_fd(wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._wanted and not self._spared:
            self._wanted, self._heard = False, True
            raise KeyboardInterrupt
        # An event loop in the application may have replaced the descriptor (asyncio's add_signal_handler does).
        present = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(present, warn_on_full_buffer=False)
        if present != self._writing.fileno():
            with contextlib.suppress(BlockingIOError):
                self._writing.send(bytes([number]))


#: The instance that handles this process's signals.
_present: HeardSignals | None = None


def _forked() -> None:
    """In a forked process: let SIGTERM end it, without telling the server."""
    if _present is not None:
        _present.give_back(-1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def _handled_by(handler: Callable[[int, FrameType | None], None], numbers: Iterable[int] = _STOPS) -> dict[int, Any]:
    """Install the handler, in the main thread only; returns the previous ones."""
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

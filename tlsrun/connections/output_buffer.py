"""Buffered output for slow clients: the request's thread fills the buffer and goes on, the loop sends it."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from dataclasses import dataclass

from tlsrun.spool import PART, Room, Spool

_MEMORY = 131072  # bytes of one answer held in memory before a file is used
_AT_ONCE = 64  # records sent to one client before others get a turn


@dataclass(frozen=True, kw_only=True)
class OutputSink:
    """How the loop takes over sending a connection's answers.

    Arguments:
        flow: tells the loop to start (True) or stop sending from the `OutputBuffer`.
        leave: has the loop close the connection once the buffer is empty; returns False if it is empty already.
        most: bytes of one answer that may be buffered; beyond that its thread waits.
        room: the limit on all buffers, shared by all connections.
    """

    flow: Callable[[bool], None]
    leave: Callable[[], bool]
    most: int
    room: Room


class OutputBuffer:
    """The unsent part of an answer. Safe to use from the request's thread and the loop's.

    Arguments:
        send: sends some bytes without blocking, as ssl.SSLSocket.send.
        sink: tells the loop when to send.
        patience: seconds within which the client must take something while a thread waits; None for no limit.
        changed: a condition to use instead of a new one.

    Attributes:
        changed: its lock is held for every call into OpenSSL while the buffer is not empty: before Python 3.13, two
            threads must not use one connection at the same time.
        held: bytes in the buffer.
        moved: bytes sent so far.
    """

    __slots__ = ("_error", "_sink", "_part", "_patience", "_send", "_spool", "changed", "held", "moved")

    def __init__(
        self,
        send: Callable[[memoryview], int],
        sink: OutputSink,
        patience: float | None,
        *,
        changed: threading.Condition | None = None,
    ) -> None:
        self._send = send
        self._sink = sink
        self._patience = patience
        self._spool = Spool(_MEMORY, most=sink.most, room=sink.room)
        self._part = memoryview(b"")  # OpenSSL must be given the same data again that it could not send
        self._error: Exception | None = None
        self.changed = changed or threading.Condition()
        self.held = self.moved = 0

    def add(self, data: memoryview) -> None:
        """Append ``data``; waits while the buffer is full.

        Raises:
            OSError: the client has gone, or took too little in time.
        """
        with self.changed:
            self.check()
            self._spool.keep(bytes(data))
            self.held += len(data)
            if 0 < self.held == len(data):
                self._sink.flow(True)
            while self._spool.full and self.held:
                moved = self.moved
                if not self.changed.wait(self._patience) and moved == self.moved and self.held:
                    words = f"the client read too little in {self._patience:g} s"
                    raise ConnectionResetError(errno.ECONNRESET, words)
            self.check()

    def pour(self) -> bool:
        """Send what can be sent without blocking; called by the loop.

        Returns:
            whether the buffer is empty now.

        Raises:
            ssl.SSLWantReadError, ssl.SSLWantWriteError: nothing more can be sent now.
            OSError: the client has gone.
        """
        with self.changed:
            for _ in range(_AT_ONCE):
                if not self._part:
                    self._part = memoryview(self._spool.take(PART))
                    if not self._spool.held:
                        self.changed.notify_all()
                    if not self._part:
                        break
                sent = self._send(self._part)
                self._part = self._part[sent:]
                self.held -= sent
                self.moved += sent
            if not self.held:
                self.changed.notify_all()
            return not self.held

    def fail(self, error: Exception) -> None:
        """The client has gone: pending and later calls of `add` raise an error."""
        with self.changed:
            self._error = error
            self.discard()

    def discard(self) -> None:
        """Drop everything in the buffer."""
        with self.changed:
            self._spool.close()
            self._part = memoryview(b"")
            if self.held:
                self.held = 0
                self._sink.flow(False)
            self.changed.notify_all()

    def check(self) -> None:
        """Raises ConnectionResetError if it has failed."""
        if self._error is not None:
            raise ConnectionResetError(errno.ECONNRESET, "the client has gone") from self._error

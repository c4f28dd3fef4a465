"""What the client of an answer does not take yet: the request's thread puts it in and goes on, the loop sends it."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from dataclasses import dataclass

from tlsrun.spool import PART, Room, Spool

_MEMORY = 131072  # bytes of one answer held in memory before a file is used
_AT_ONCE = 64  # records that are sent to one client before others have their turn


@dataclass(frozen=True, kw_only=True)
class OutputSink:
    """How a connection's answers leave by the loop.

    Arguments:
        flow: the loop begins, or ceases, to send what is in the `OutputBuffer`.
        leave: the loop sees the client off once the buffer is empty; False when it is empty now.
        most: bytes of one answer that may wait; beyond, its thread does.
        room: for what waits, shared by all connections.
    """

    flow: Callable[[bool], None]
    leave: Callable[[], bool]
    most: int
    room: Room


class OutputBuffer:
    """Safe to use from the request's thread and from the loop's.

    Arguments:
        send: sends some bytes without waiting, as ssl.SSLSocket.send.
        sink: where they leave.
        patience: seconds in which the client must take something while a thread waits for it; None for ever.
        changed: where there is one before this is made.

    Attributes:
        changed: held whenever OpenSSL is asked for anything while there is something in here: before Python 3.13, two
            threads must not use one connection at the same time.
        held: bytes in here.
        moved: bytes that have left.
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
        self._part = memoryview(b"")  # OpenSSL wants to be given again what it could not send
        self._error: Exception | None = None
        self.changed = changed or threading.Condition()
        self.held = self.moved = 0

    def add(self, data: memoryview) -> None:
        """Put ``data`` in; wait when so much is in here that the answer has to.

        Raises:
            OSError: the client has gone, or took too little.
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
        """Send what can be sent without waiting; for the loop.

        Returns:
            whether it is empty now.

        Raises:
            ssl.SSLWantReadError, ssl.SSLWantWriteError: the client has to do something first.
            OSError: it has gone.
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
        """The client has gone; who waits, or puts something in, is told."""
        with self.changed:
            self._error = error
            self.discard()

    def discard(self) -> None:
        """Let go of everything."""
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

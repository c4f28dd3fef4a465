"""Wakes a thread that waits for descriptors, from another thread or a signal handler: the self-pipe trick."""

from __future__ import annotations

import contextlib
import socket


class Waker:
    """The waiting thread watches it for reading."""

    def __init__(self) -> None:
        self._writer, self._reader = socket.socketpair()
        self._writer.setblocking(False)
        self._reader.setblocking(False)

    def fileno(self) -> int:
        """The descriptor: readable after `wake`, until `clear`."""
        return self._reader.fileno()

    def wake(self) -> None:
        """Make it readable. Never blocks; does nothing after `close`."""
        with contextlib.suppress(OSError):  # closed, or full: then the thread is about to wake anyway
            self._writer.send(b"\0")

    def clear(self) -> None:
        """Make it unreadable again."""
        with contextlib.suppress(OSError):
            while self._reader.recv(4096):
                pass

    def close(self) -> None:
        """Close both ends."""
        self._writer.close()
        self._reader.close()

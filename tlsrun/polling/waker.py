"""How another thread, or a signal handler, wakes one that waits for descriptors: by one more that becomes readable."""

from __future__ import annotations

import contextlib
import socket


class Waker:
    """To be watched for reading by the thread that waits."""

    def __init__(self) -> None:
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)

    def fileno(self) -> int:
        """The descriptor that is readable after `wake`, until `rest`."""
        return self._ear.fileno()

    def wake(self) -> None:
        """Never waits, and does nothing after `close`."""
        with contextlib.suppress(OSError):  # nobody listens any more, or is about to listen anyway
            self._bell.send(b"\0")

    def rest(self) -> None:
        """What has rung was heard."""
        with contextlib.suppress(OSError):
            while self._ear.recv(4096):
                pass

    def close(self) -> None:
        """Let go of both ends."""
        self._bell.close()
        self._ear.close()

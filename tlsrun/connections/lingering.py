"""A connection that was shut down and waits for its client to close (lingering close)."""

from __future__ import annotations

import contextlib
import os


class LingeringSocket:
    """The few methods of a socket that a lingering close needs, around a descriptor; cheaper to make than a socket.

    Arguments:
        descriptor: of a non-blocking socket; closed by `close`.
    """

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """The descriptor; -1 once it is closed."""
        return self._descriptor

    def recv(self, size: int) -> bytes:
        """As socket.recv."""
        return os.read(self._descriptor, size)

    def close(self) -> None:
        """As socket.close."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with contextlib.suppress(OSError):  # some systems report that the client has reset it
                os.close(descriptor)

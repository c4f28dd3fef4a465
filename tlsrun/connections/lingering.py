"""What is left of a connection that was shut down."""

from __future__ import annotations

import contextlib
import os


class LingeringSocket:
    """Its descriptor, with the little that seeing a client off asks of a socket object, and cheaper to make than one.

    Arguments:
        descriptor: of a socket that never blocks; closed by `close`.
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
            with contextlib.suppress(OSError):  # on some systems, that the client has reset it
                os.close(descriptor)

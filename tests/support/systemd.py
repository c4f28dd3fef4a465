"""What stands for systemd: the socket that a service tells of itself (sd_notify(3))."""

from __future__ import annotations

import contextlib
import socket
import struct
from pathlib import Path


class Manager:
    """The socket of one service.

    Attributes:
        said: each line, and the process that said it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.said: list[tuple[str, int]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def __enter__(self) -> Manager:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def hear(self) -> list[str]:
        """All that was said so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                data, ancillary, _, _ = self._socket.recvmsg(4096, socket.CMSG_SPACE(12))
                pid = struct.unpack("3i", ancillary[0][2])[0]
                self.said += [(line, pid) for line in data.decode().splitlines()]
        return [word for word, _ in self.said]

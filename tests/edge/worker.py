"""A worker that says exactly what it is told to say, on a Unix socket of its own."""

from __future__ import annotations

import contextlib
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.clients import select_readable

Script = Callable[[socket.socket], None]


class OddWorker:
    """Accepts connections, reads each packet, and runs the script on it.

    Arguments:
        script: gets the connection after the packet was read; it is closed afterwards.
        backlog: of the listening socket.
    """

    def __init__(self, path: Path, script: Script, backlog: int) -> None:
        self.path = path
        self.packets: list[bytes] = []
        self._script = script
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(backlog)
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept)

    def start(self) -> None:
        """Begin to accept; before, the connections queue."""
        self._acceptor.start()

    def queued(self) -> bool:
        """Whether a connection waits to be accepted."""
        return select_readable(self._listener)

    def stop(self) -> None:
        """End."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        if self._acceptor.ident is not None:
            self._acceptor.join()
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(60)
            _, size, _ = struct.unpack("<BHB", receive(connection, 4))
            self.packets.append(receive(connection, size))
            self._script(connection)


def receive(connection: socket.socket, size: int) -> bytes:
    """Exactly so many bytes."""
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionResetError
        data += part
    return data


@contextlib.contextmanager
def odd_worker(script: Script | bytes, *, backlog: int = 100, start: bool = True) -> Iterator[OddWorker]:
    """A running one; bytes are sent as they are."""
    if isinstance(script, bytes):
        data = script
        script = lambda connection: connection.sendall(data)  # noqa: E731 -- the short form of a script
    with tempfile.TemporaryDirectory(prefix="edge-") as folder:
        worker = OddWorker(Path(folder) / "odd.sock", script, backlog)
        if start:
            worker.start()
        try:
            yield worker
        finally:
            worker.stop()

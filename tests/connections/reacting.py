"""A reactor that runs in a thread, and a server of its own behind it."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Iterator
from typing import Any

from tests.support.certs import Paths
from tests.support.clients import Address
from tests.tls.serving import certificates
from tlsrun.connections.connection import Connection
from tlsrun.connections.reactor import Reactor
from tlsrun.connections.stages import ConnectionLimits

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Site:
    """What a test asks of it."""

    def __init__(
        self, paths: Paths, limits: ConnectionLimits, *, listener: socket.socket | None = None, **more: Any
    ) -> None:
        self.listener = listener or socket.create_server(("127.0.0.1", 0), backlog=600)
        self.address: Address = self.listener.getsockname()
        self.ready: queue.SimpleQueue[Connection] = queue.SimpleQueue()
        more.setdefault("capacity", 100)
        self.reactor = Reactor([self.listener], certificates(paths).context, self.ready.put, limits=limits, **more)
        self.ending = False
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self.ending:
            self.reactor.step(1.0)

    def next(self, timeout: float = 60) -> Connection:
        """The next connection that is delivered; its socket waits for its client from now on."""
        connection = self.ready.get(timeout=timeout)
        connection.sock.setblocking(True)
        return connection

    def nothing_comes(self, seconds: float = 0.3) -> bool:
        """Whether nothing is delivered for so long."""
        try:
            self.ready.get(timeout=seconds)
        except queue.Empty:
            return True
        return False


@contextlib.contextmanager
def reacting(paths: Paths, limits: ConnectionLimits | None = None, **more: Any) -> Iterator[Site]:
    """Run a reactor while the block does; ``more`` is for `Reactor`."""
    site = Site(paths, limits or ConnectionLimits(handshake_timeout=5, head_timeout=5, patience=5, linger=2), **more)
    site.thread.start()
    try:
        yield site
    finally:
        site.ending = True
        site.reactor.wake()
        site.thread.join()
        site.reactor.close()
        site.listener.close()
        while not site.ready.empty():
            site.ready.get().sock.close()

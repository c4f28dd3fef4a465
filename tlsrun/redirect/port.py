"""The plain-HTTP port: a daemon thread that answers on its sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence

from tlsrun.proxies.peers import NOBODY, Peers
from tlsrun.redirect.answer import Redirect
from tlsrun.redirect.loop import RedirectLoop
from tlsrun.system import most_connections

__all__ = ["Redirect", "RedirectListener"]


class RedirectListener:
    """Answers plain HTTP on sockets, in a thread of its own.

    It may be created before a fork and started in each process after it. The sockets remain the caller's to close,
    after `stop`.

    Arguments:
        socks: listening sockets; other processes may accept from them, too.
        redirect: how to answer.
        head_timeout: seconds for a client's whole request head, and again for reading the response.
        max_connections: the most clients at once; the oldest is dropped for a new one.
        proxy_protocol_peers: the proxies whose connections may begin with a PROXY header.
    """

    def __init__(
        self,
        socks: Sequence[socket.socket],
        redirect: Redirect,
        *,
        head_timeout: float = 10.0,
        max_connections: int = 512,
        proxy_protocol_peers: Peers = NOBODY,
    ) -> None:
        self._socks = tuple(socks)
        self._redirect = redirect
        self._head_timeout = head_timeout
        self._max_connections = most_connections(max_connections)
        self._proxy_protocol_peers = proxy_protocol_peers
        self._running: tuple[RedirectLoop, threading.Thread] | None = None

    def start(self) -> None:
        """Start the thread, unless it runs already. To be called after the process's last fork."""
        if self._running is not None and self._running[1].is_alive():
            return
        loop = RedirectLoop(
            self._socks, self._redirect, self._head_timeout, self._max_connections, self._proxy_protocol_peers
        )
        thread = threading.Thread(target=loop.run, name="tlsrun-redirect", daemon=True)
        self._running = (loop, thread)
        thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Close every connection and stop the thread; waits up to ``timeout`` seconds for it."""
        if self._running is None:
            return
        loop, thread = self._running
        self._running = None
        if thread.is_alive():  # not in a process that was forked meanwhile
            loop.stop()
            thread.join(timeout)

"""The listener for visitors who typed http://: a socket, and a daemon thread that sends them to https."""

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

    It may be made before a fork and started in each process after it. The sockets stay the caller's to close,
    after `stop`.

    Arguments:
        socks: they listen; other processes may accept from them too.
        redirect: what to answer.
        head_timeout: seconds a client has for its whole request head, and again to take the answer.
        max_connections: clients at once; the one that came first makes room for a new one.
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
        """Start to answer; nothing happens when it does already. Call it after the process's last fork."""
        if self._running is not None and self._running[1].is_alive():
            return
        loop = RedirectLoop(
            self._socks, self._redirect, self._head_timeout, self._max_connections, self._proxy_protocol_peers
        )
        thread = threading.Thread(target=loop.run, name="tlsrun-redirect", daemon=True)
        self._running = (loop, thread)
        thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Close every connection and end the thread; waits up to ``timeout`` seconds for its end."""
        if self._running is None:
            return
        loop, thread = self._running
        self._running = None
        if thread.is_alive():  # not so in a process forked since
            loop.stop()
            thread.join(timeout)

"""The listener for visitors who typed http://: a socket, and a daemon thread that sends them to https."""

from __future__ import annotations

import socket
import threading

from tlsrun.endpoint import Endpoint
from tlsrun.tls.redirect_answer import Redirect
from tlsrun.tls.redirect_loop import RedirectLoop

__all__ = ["Redirect", "RedirectListener", "bind"]

_BACKLOG = 512


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, for one `RedirectListener` or for several in forked processes.

    Arguments:
        host: an address or a name; ``::`` is every address, IPv4 as well where the system can.
        port: 0 for one that the system chooses.

    Raises:
        OSError: the address is taken, not of this machine, not permitted, or the name does not resolve.
    """
    return socket.create_server(
        (host, port),
        family=Endpoint(host=host, port=port).family,
        backlog=_BACKLOG,
        dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
    )


class RedirectListener:
    """Answers plain HTTP on a socket, in a thread of its own.

    It may be made before a fork and started in each process after it. The socket stays the caller's to close,
    after `stop`.

    Arguments:
        sock: from `bind`; other processes may accept from it too.
        redirect: what to answer.
        head_timeout: seconds a client has for its whole request head, and again to take the answer.
        max_connections: clients at once; the one that came first makes room for a new one.
    """

    def __init__(
        self,
        sock: socket.socket,
        redirect: Redirect,
        *,
        head_timeout: float = 10.0,
        max_connections: int = 512,
    ) -> None:
        self._sock = sock
        self._redirect = redirect
        self._head_timeout = head_timeout
        self._max_connections = max_connections
        self._running: tuple[RedirectLoop, threading.Thread] | None = None

    def start(self) -> None:
        """Start to answer; nothing happens when it does already. Call it after the process's last fork."""
        if self._running is not None and self._running[1].is_alive():
            return
        loop = RedirectLoop(self._sock, self._redirect, self._head_timeout, self._max_connections)
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

"""The server: accepts connections, passes them to its threads, and lets requests finish when it stops."""

from __future__ import annotations

import errno
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from tlsrun import system
from tlsrun.connections.server_context import ServerContext
from tlsrun.connections.stages import ConnectionLimits
from tlsrun.listening.notify import Watchdog
from tlsrun.polling.waker import Waker
from tlsrun.servers.builtin.connections import Connections
from tlsrun.servers.builtin.nonblocking_socket import NonblockingSocket
from tlsrun.servers.builtin.options import BuiltinOptions
from tlsrun.servers.builtin.threads import ConnectionThreads, Served
from tlsrun.servers.builtin.work import Work
from tlsrun.spool import Room

_log = logging.getLogger("tlsrun.builtin")

_LOOK = 0.5  # seconds between two attempts to make room
_FRESH = 0.5  # seconds at a stop for new connections to begin their first request
_DESCRIPTORS = 100  # left for the application and the rest of the process
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class BuiltinServer:
    """Serves an application.

    Arguments:
        socks: the listening sockets.
        context: the context for accepted connections.
        application: the WSGI application.
        handler: makes the object that serves a connection from (connection, address, server).
        options: the server's options.
        work: runs requests.
        quiet: whether there is no access log.
        leave: called at a stop, before the sockets are closed.
    """

    #: Read by Werkzeug's handler.
    multiprocess = False

    def __init__(
        self,
        socks: Sequence[socket.socket],
        context: ServerContext,
        application: Callable[..., Any],
        handler: Callable[[Any, Any, Any], Served],
        *,
        options: BuiltinOptions,
        work: Work,
        quiet: bool = False,
        leave: Callable[[], None] = lambda: None,
    ) -> None:
        self._leave = leave
        self._listeners = tuple(socks)
        self._handler = handler
        self.ssl_context = context
        context.sslsocket_class = NonblockingSocket
        self.application = application
        self.options = options
        self.work = work
        self.quiet = quiet
        self.multithread = work.concurrent
        self.bodies, self.answers = Room(ConnectionLimits.room), Room(ConnectionLimits.room)
        self._addresses = {sock: _server_address(sock) for sock in socks}
        self.server_address = self._addresses[socks[0]]
        self._watchdog = Watchdog()
        self.connections = Connections(min(options.max_connections, _descriptors()))
        self._threads = ConnectionThreads(self._tick)
        self._waker = Waker()
        self._accepting = threading.Thread(target=self._accept, name="tlsrun-accept", daemon=True)

    def start(self) -> None:
        """Start the threads, and accept connections."""
        for listener in self._listeners:
            listener.setblocking(False)
        self.work.start()
        self._threads.start()
        self._accepting.start()

    def close(self) -> None:
        """Stop accepting, and close the listening sockets."""
        self._leave()
        self.leave_waiting()
        for listener in self._listeners:
            listener.close()
        self._waker.close()

    def make_way(self, seconds: float) -> None:
        """Before this program is executed again: have clients reconnect, then stop accepting.

        Arguments:
            seconds: time for clients on kept connections to send one more request.
        """
        self.connections.linger(seconds)
        self.leave_waiting()

    def leave_waiting(self) -> None:
        """Stop accepting; new connections wait for the next owner of the sockets."""
        self._waker.wake()  # nothing when this is the second call, after a second Ctrl-C
        if self._accepting.ident is not None:  # it was started
            self._accepting.join()

    def finish(self, grace: float, *, fresh: float = _FRESH) -> bool:
        """Let running requests finish; connections that wait for a request are closed at once.

        Arguments:
            grace: seconds for them; what still runs then is broken off.
            fresh: seconds for new connections to begin their first request.

        Returns:
            whether all have finished.
        """
        deadline = time.monotonic() + grace
        self.connections.stop(min(fresh, grace))
        finished = self.connections.wait_for_end(max(0.0, deadline - time.monotonic()))
        if not finished:
            _log.warning("broken off after %g s: requests still running: %d", grace, len(self.connections))
            self.connections.abort()
        self._threads.stop()
        return finished

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._waker, selectors.EVENT_READ)
            for sock in self._listeners:
                selector.register(sock, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _ in selector.select(self._watchdog.pause)]
                self._watchdog.feed()
                if self._waker in ready:
                    return
                for listener in ready:
                    if self.connections.make_room(_LOOK):
                        self._accept_one(listener)

    def _accept_one(self, listener: Any) -> None:
        try:
            plain, address = listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in _FULL:
                _log.warning("no connection can be accepted: %s", error.strerror)
                self.connections.relieve(_LOOK)
            return
        self._begin(plain, address, self._addresses[listener])

    def _begin(self, plain: socket.socket, address: Any, here: tuple[str, int]) -> None:
        try:
            sock = self.ssl_context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        except (OSError, ValueError):
            # The client is already gone.
            plain.close()
            return
        assert isinstance(sock, NonblockingSocket)  # noqa: S101 -- for the type checker: this context makes no other
        sock.here = here
        self.connections.add(sock)
        connection = self._handler(sock, address, self)
        try:
            self._threads.accept(connection)
        except RuntimeError as error:
            _log.warning("no thread for a connection: %s", error)
            connection.end()

    def _tick(self) -> None:
        self.connections.expire(self.options.keep_alive)


def _server_address(sock: socket.socket) -> tuple[str, int]:
    """SERVER_NAME and SERVER_PORT; for a Unix socket, those of a proxy in front."""
    if system.is_unix(sock):
        return "localhost", 443
    host, port = sock.getsockname()[:2]
    return host, port


def _descriptors() -> int:
    """How many connections the limit of open files, or of watched sockets, allows."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return system.most_connections(1 << 20)
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 1 << 20 if soft == resource.RLIM_INFINITY else max(8, soft - _DESCRIPTORS)

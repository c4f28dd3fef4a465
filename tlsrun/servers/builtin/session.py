"""A connection from its handshake to its end; a subclass answers the requests."""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, TypeVar

from tlsrun.connections.handshaking import HandshakeFailed
from tlsrun.connections.presence import Presence, has_gone, presence_of
from tlsrun.http1.head import Head
from tlsrun.http1.refusal import Refused
from tlsrun.proxies.peers import unmapped
from tlsrun.servers.builtin.background_sender import BackgroundSender
from tlsrun.servers.builtin.connections import ConnectionState
from tlsrun.servers.builtin.dates import http_date, log_date
from tlsrun.servers.builtin.min_data_rate import MinDataRate
from tlsrun.servers.builtin.nonblocking_socket import NonblockingSocket
from tlsrun.servers.builtin.reader import ClientGone, Reader

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tlsrun.servers.builtin.server import BuiltinServer

Result = TypeVar("Result")

_log = logging.getLogger("tlsrun.builtin")


class Session(BaseHTTPRequestHandler):
    """Serves a connection; the standard library's class provides the log lines."""

    #: The server, and the connection.
    site: BuiltinServer
    sock: NonblockingSocket
    #: Takes the response while one of few threads runs the request.
    sender: BackgroundSender | None = None

    def _answer(self, head: Head) -> bool:
        """Answer one request; returns whether the connection goes on."""
        raise NotImplementedError

    def __init__(self, request: NonblockingSocket, client_address: Any, server: BuiltinServer) -> None:
        # Without the base class's __init__, which would serve the whole connection at once.
        self.request = self.connection = self.sock = request
        self.server: Any = server
        self.site = server
        # Clients on a Unix socket have no address.
        host, port = client_address[:2] if client_address else ("", 0)
        self.client_address = (unmapped(host), port)
        self._reader = Reader(request)
        self._rate = MinDataRate(server.options.write_timeout)
        self._unread = False
        self._broken = False
        self._http10 = False

    # -- for its thread (`tlsrun.servers.builtin.threads`) ----------------------------------------------------

    def fileno(self) -> int:
        """The connection's file descriptor."""
        return self.sock.fileno()

    def begin(self) -> bool:
        """Do the handshake; returns whether it succeeded."""
        return self._safely(self._shake_hands)

    def serve(self) -> bool:
        """Wait for a request and answer it; returns whether another may follow."""
        return self._safely(self._one_request) and self.site.connections.move(self.sock, ConnectionState.IDLE)

    def stopped(self) -> bool:
        """Whether nothing more is read, since the connection is to be closed."""
        return self.sock.stopped

    def at_hand(self) -> bool:
        """Whether a part of the next request was already read."""
        return self._reader.has_more or self.sock.pending() > 0

    def end(self) -> None:
        """Close the connection gracefully."""
        self._safely(self._say_goodbye)
        with contextlib.suppress(OSError):
            self.sock.close()
        self.site.connections.remove(self.sock)

    def _safely(self, step: Callable[[], bool]) -> bool:
        try:
            return step()
        except (HandshakeFailed, ClientGone):
            return False
        except BaseException:
            # A bug of ours must not end the thread silently, and a BaseException from a view must not leave its client
            # waiting; this is never the main thread.
            _log.exception("serving a connection failed")
            return False

    def _shake_hands(self) -> bool:
        self.sock.do_handshake()
        if self.sock.proxied_client is not None:
            self.client_address = self.sock.proxied_client
        return True

    def _say_goodbye(self) -> bool:
        """Make sure that the last bytes arrive, or that a broken response looks broken."""
        if self._broken:
            self.sock.abort()
            return False
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        if self._unread:
            self.sock.linger()
        return False

    def _one_request(self) -> bool:
        options, connections = self.site.options, self.site.connections
        if not self._reader.wait(options.keep_alive):
            return False
        connections.move(self.sock, ConnectionState.RECEIVING)
        try:
            head = self._reader.head(options.head_timeout)
        except Refused as refusal:
            self._refuse(refusal)
            return False
        connections.move(self.sock, ConnectionState.BUSY)
        self._http10 = head.http10
        return self._answer(head)

    # -- a client whose request waits (`tlsrun.servers.builtin.work`) -------------------------------------------------

    def result_of(self, done: Future[Result]) -> Result:
        """The result of its request; meanwhile the response is sent."""
        assert self.sender is not None  # noqa: S101 -- for the type checker: it was made before
        return self.sender.result_of(done)

    def seems_here(self) -> bool:
        """Whether the client seems to be connected."""
        return presence_of(self.sock) is Presence.HERE

    def make_sure(self) -> None:
        """Find out whether the client is still connected.

        Raises:
            ClientGone: it is not.
        """
        if has_gone(self.sock, None if self._http10 else self._send):
            raise ClientGone("it went before its request's turn")

    def _refuse(self, refusal: Refused) -> None:
        date = f"Date: {self.date_time_string()}\r\n".encode()
        self._unread = True
        self._send(refusal.response(date=date))
        _log.info("request from %s refused: %d, %s", self.address_string(), refusal.status, refusal.words)

    def _send(self, data: bytes) -> None:
        sock = self.sock
        try:
            if self.sender is not None:
                self.sender.send(data)
                return
            sock.settimeout(self.site.options.write_timeout)
            began = time.monotonic()
            size = sock.send(data)
            self._count(size, began)
            rest = memoryview(data)[size:]
            while rest:
                began = time.monotonic()
                size = sock.send(rest)
                self._count(size, began)
                rest = rest[size:]
        except (OSError, ValueError) as error:
            raise ClientGone(str(error)) from error

    def _count(self, size: int, began: float) -> None:
        if not self._rate.count(size, time.monotonic() - began):
            raise TimeoutError("the client took the answer too slowly")

    def date_time_string(self, timestamp: float | None = None) -> str:
        """As in the base class; the current time is formatted once per second."""
        return http_date() if timestamp is None else super().date_time_string(timestamp)

    def log_date_time_string(self) -> str:
        """As in the base class, formatted once per second."""
        return log_date()

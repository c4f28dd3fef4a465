"""UDP: the workers' sockets, and a transport for one of them.

asyncio's own datagram transport cannot stop reading and still send, which a draining worker must do while its successor
reads the same socket; and it reads only one datagram in each iteration of the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

_BUFFER = 4 << 20  # receive buffer (SO_RCVBUF) in bytes
_DATAGRAM = 65535
_AT_ONCE = 32  # datagrams read before other events get their turn
_WAITING = 4096  # datagrams queued for sending, above which more are dropped


def bind(host: str, port: int, family: int, *, workers: int, kept: Sequence[socket.socket] = ()) -> list[socket.socket]:
    """Return one UDP socket per worker; the kernel maps each client address to one of them (SO_REUSEPORT, socket(7)).

    Arguments:
        kept: sockets bound before a reload, to be used again; the surplus is closed.

    Raises:
        OSError: the port cannot be bound.
    """
    sockets = list(kept[:workers])
    for one in kept[workers:]:
        one.close()
    for one in sockets:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(workers > 1))
        one.setblocking(False)
    try:
        for _ in range(workers - len(sockets)):
            made = socket.socket(family, socket.SOCK_DGRAM)
            sockets.append(made)
            if workers > 1:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
            with contextlib.suppress(OSError):
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            made.bind((host, port))
            made.setblocking(False)
    except OSError:
        for made in sockets:
            made.close()
        raise
    return sockets


class Datagrams:
    """A UDP socket in an event loop, with the methods of a transport that aioquic uses.

    Arguments:
        received: called with each datagram and its source address.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, received: Callable[[bytes, Any], None]
    ) -> None:
        self._loop = loop
        self._socket = sock
        self._received = received
        self._waiting: deque[tuple[bytes, Any]] = deque()
        loop.add_reader(sock, self._read)

    def sendto(self, data: bytes, address: Any) -> None:
        """Send now, or once the socket is writable."""
        if self._waiting:
            if len(self._waiting) < _WAITING:
                self._waiting.append((data, address))
        elif not self._sent(data, address):
            self._waiting.append((data, address))
            self._loop.add_writer(self._socket, self._write)

    def stop_reading(self) -> None:
        """Stop reading, so that another process can; sending goes on."""
        self._loop.remove_reader(self._socket)

    def close(self) -> None:
        """Close the socket; queued datagrams are dropped."""
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._waiting.clear()
        self._socket.close()

    def _read(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                data, address = self._socket.recvfrom(_DATAGRAM)
            except OSError:  # nothing to read; or ICMP: a client's port is closed, and its connection will time out
                return
            self._received(data, address)

    def _write(self) -> None:
        while self._waiting and self._sent(*self._waiting[0]):
            self._waiting.popleft()
        if not self._waiting:
            self._loop.remove_writer(self._socket)

    def _sent(self, data: bytes, address: Any) -> bool:
        try:
            self._socket.sendto(data, address)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:  # the client is unreachable
            return True
        return True

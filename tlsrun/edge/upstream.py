"""A non-blocking connection to a worker: sends a request, receives its answer."""

from __future__ import annotations

import errno
import logging
import socket

from tlsrun.edge.spool import RequestSpool
from tlsrun.polling.poller import READ, WRITE, Poller
from tlsrun.spool import PART

_log = logging.getLogger("tlsrun.edge")

_FIRST = 16384  # most answers are small, and a larger buffer for each is expensive
_KIND = socket.SOCK_STREAM | getattr(socket, "SOCK_NONBLOCK", 0)  # saves a system call where it exists
#: The backlog of the workers' Unix socket is full, as all workers are busy (connect(2)).
_BUSY = frozenset((errno.EAGAIN, errno.EWOULDBLOCK))


class Upstream:
    """A connection to a worker; the uwsgi protocol uses one per request. The subclass handles its events.

    Arguments:
        poller: watches the socket.
        path: the workers' Unix socket.

    Attributes:
        sending: data is waiting to be sent.
        deaf: the worker reads no more of the request; it may still answer.
        part: bytes per read.
    """

    __slots__ = ("_mask", "_outbox", "_path", "_poller", "_reading", "_socket", "_spool", "deaf", "part", "sending")

    def __init__(self, poller: Poller, path: str) -> None:
        self._poller = poller
        self._path = path
        self._socket: socket.socket | None = None
        self._outbox: list[bytes | memoryview] = []
        self._spool: RequestSpool | None = None
        self._mask = 0  # the events that are watched
        self._reading = True
        self.sending = False
        self.deaf = False
        self.part = _FIRST

    # Callbacks for the subclass.

    def answered(self, data: bytes) -> None:
        """Bytes came from the worker."""

    def ended(self) -> None:
        """The worker closed, or is gone."""

    def drained(self) -> None:
        """Everything has been sent, after some of it had to wait."""

    def broken(self) -> None:
        """There was an internal error; it is logged."""

    # Methods for the subclass.

    def open(self) -> bool:
        """Connect; at once or not at all.

        Returns:
            False when the workers' queue is full: try again later.

        Raises:
            OSError: nobody listens there.
        """
        sock = socket.socket(socket.AF_UNIX, _KIND)
        try:
            if _KIND == socket.SOCK_STREAM:
                sock.setblocking(False)
            sock.connect(self._path)
        except OSError as error:
            sock.close()
            if error.errno in _BUSY:
                return False
            raise
        self._socket = sock
        return True

    def send(self, data: bytes, spool: RequestSpool | None = None) -> None:
        """Send a part of the request: first the packet, later more of the body.

        Arguments:
            data: the bytes.
            spool: a body to send after them.
        """
        if self.deaf:
            return
        self._spool = spool
        self._outbox.append(data)
        if not self.sending:
            self._flush()
            self._update()

    def read_on(self, reading: bool) -> None:
        """Resume or pause reading the answer."""
        self._reading = reading
        self._update()

    def read_more(self, size: int = _FIRST) -> bytes | None:
        """Read what has come; b"" if the worker has closed, None if there is nothing."""
        if self._socket is None:
            return None
        try:
            return self._socket.recv(size)
        except BlockingIOError:
            return None
        except OSError:  # it closed before it had read the whole body
            return b""

    def close(self) -> None:
        """Close; no callback is called after this."""
        sock, self._socket = self._socket, None
        if sock is None:
            return
        if self._mask:
            self._poller.forget_closing(sock.fileno())
        sock.close()
        self._outbox.clear()

    # Internals.

    def _update(self) -> None:
        """Update the events that the poller watches."""
        if self._socket is None:
            return
        before, self._mask = self._mask, (READ if self._reading else 0) | (WRITE if self.sending else 0)
        if self._mask == before:
            return
        if not before:
            self._poller.watch(self._socket.fileno(), self._mask, self._ready)
        elif self._mask:
            self._poller.change(self._socket.fileno(), self._mask, self._ready)
        else:
            self._poller.forget(self._socket.fileno())

    def _ready(self) -> None:
        if self._socket is None:  # closed a moment ago
            return
        try:
            if self.sending:
                emptied = self._flush()
                self._update()
                if emptied:
                    self.drained()
            if self._reading:
                data = self.read_more(self.part)
                if data:
                    self.answered(data)
                elif data is not None:
                    self.ended()
        except Exception:
            _log.exception("a request failed inside the edge")
            self.broken()

    def _flush(self) -> bool:
        """Send until everything is sent (True) or the socket is full (False)."""
        outbox = self._outbox
        try:
            while outbox and self._socket is not None:
                part = outbox[0]
                sent = self._socket.send(part)
                if sent < len(part):
                    outbox[0] = memoryview(part)[sent:]
                    continue
                del outbox[0]
                if self._spool is not None and not outbox:
                    more = self._spool.take(PART)
                    if more:
                        outbox.append(more)
                    else:
                        self._spool = None
        except BlockingIOError:
            self.sending = True
            return False
        except OSError:  # it reads no more; its answer may still be readable
            self.deaf = True
            self._spool = None
            outbox.clear()
        self.sending = False
        return True

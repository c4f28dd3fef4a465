"""One connection to a worker: a request goes out, its answer comes in; nothing here ever blocks."""

from __future__ import annotations

import errno
import logging
import socket

from tlsrun.edge.spool import RequestSpool
from tlsrun.polling.poller import READ, WRITE, Poller
from tlsrun.spool import PART

_log = logging.getLogger("tlsrun.edge")

_FIRST = 16384  # most answers are small; a large buffer for each costs
_KIND = socket.SOCK_STREAM | getattr(socket, "SOCK_NONBLOCK", 0)  # one system call less, where there is one
#: The queue of the workers' socket is full: they are all busy (connect(2), on a Unix socket).
_BUSY = frozenset((errno.EAGAIN, errno.EWOULDBLOCK))


class Upstream:
    """A connection to a worker; the uwsgi protocol has one for each request. A subclass is told what happens.

    Arguments:
        poller: tells when to go on.
        path: of the workers' Unix socket.

    Attributes:
        sending: something waits until the worker takes it.
        deaf: the worker takes no more of the request; it may still answer.
        part: bytes to read at once.
    """

    __slots__ = ("_mask", "_outbox", "_path", "_poller", "_reading", "_socket", "_spool", "deaf", "part", "sending")

    def __init__(self, poller: Poller, path: str) -> None:
        self._poller = poller
        self._path = path
        self._socket: socket.socket | None = None
        self._outbox: list[bytes | memoryview] = []
        self._spool: RequestSpool | None = None
        self._mask = 0  # what the poller tells
        self._reading = True
        self.sending = False
        self.deaf = False
        self.part = _FIRST

    # What a subclass does.

    def answered(self, data: bytes) -> None:
        """Bytes came from the worker."""

    def ended(self) -> None:
        """The worker closed, or is gone."""

    def drained(self) -> None:
        """All that was given to send is with the worker, after a time in which it was not."""

    def broken(self) -> None:
        """Something failed that must not fail; the error is logged."""

    # What it calls.

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
        """Send a part of the request: at first the packet, later more of the body.

        Arguments:
            data: the part.
            spool: what follows it.
        """
        if self.deaf:
            return
        self._spool = spool
        self._outbox.append(data)
        if not self.sending:
            self._flush()
            self._update()

    def read_on(self, reading: bool) -> None:
        """Go on reading the answer, or stop for now."""
        self._reading = reading
        self._update()

    def read_more(self, size: int = _FIRST) -> bytes | None:
        """What is there already; b"" when the worker has closed, None when there is nothing."""
        if self._socket is None:
            return None
        try:
            return self._socket.recv(size)
        except BlockingIOError:
            return None
        except OSError:  # it closed without having read the whole body
            return b""

    def close(self) -> None:
        """Let go; nothing is told any more."""
        sock, self._socket = self._socket, None
        if sock is None:
            return
        if self._mask:
            self._poller.forget_closing(sock.fileno())
        sock.close()
        self._outbox.clear()

    # Within.

    def _update(self) -> None:
        """Tell the poller what is waited for now."""
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
        """Send until the worker's side is full (False) or everything is sent."""
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
        except OSError:  # it reads no more; what it has answered can still be read
            self.deaf = True
            self._spool = None
            outbox.clear()
        self.sending = False
        return True

"""Responses to slow clients: the request's thread buffers them, and the connection's thread sends them.

If only a few threads run the requests (`tlsrun.servers.builtin.work`), none of them should wait for a client. The
connection's own thread is idle meanwhile.
"""

from __future__ import annotations

import queue
import ssl
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from tlsrun import system
from tlsrun.connections.output_buffer import OutputBuffer, OutputSink
from tlsrun.connections.stages import ConnectionLimits
from tlsrun.servers.builtin.min_data_rate import MinDataRate
from tlsrun.servers.builtin.nonblocking_socket import NonblockingSocket
from tlsrun.servers.builtin.reader import ClientGone
from tlsrun.spool import Room

if TYPE_CHECKING:
    from concurrent.futures import Future

Result = TypeVar("Result")

#: Seconds, per response, that a request's thread waits for its client before it buffers the rest. Saves the temporary
#: file for clients that are only a little slower than the application.
_GRACE = 0.1
_AT_ONCE = 65536  # bytes passed to OpenSSL in one call; less than a part of a spool


class BackgroundSender:
    """Sends the responses of a connection, one after the other.

    Call ``begin()`` before each response and ``end()`` after it. The buffer is created when it is first needed, since
    most clients receive the whole response at once.

    Arguments:
        sock: the connection.
        seconds: how long to wait for the client to receive more.
        room: limit on buffered bytes, shared by all connections.
    """

    def __init__(self, sock: NonblockingSocket, *, seconds: float, room: Room) -> None:
        self._sock = sock
        self._seconds = seconds
        self._room = room
        self._changed = threading.Condition()
        self._output: OutputBuffer | None = None

    # -- by the connection's thread -----------------------------------------------------------------------------------

    def begin(self) -> None:
        """Prepare for a response."""
        self._rate = MinDataRate(self._seconds)
        self._grace = _GRACE
        self._events: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._sock.guard = self._changed

    # -- by the request's thread --------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send what the client receives now, and buffer the rest.

        Raises:
            OSError: the client has disconnected, or receives too slowly.
        """
        left, buffer = memoryview(data), self._output
        while left and not (buffer and buffer.held):
            try:
                with self._changed:
                    left = left[self._sock.send_at_once(left[:_AT_ONCE]) :]
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as want:
                if not self._wait_a_moment(want):
                    break
        if left:
            if buffer is None:
                buffer = self._output = self._new_output()
            buffer.add(left)

    def _new_output(self) -> OutputBuffer:
        sink = OutputSink(flow=self._flow, leave=lambda: False, most=ConnectionLimits.max_answer, room=self._room)
        return OutputBuffer(self._sock.send_at_once, sink, self._seconds, changed=self._changed)

    def _wait_a_moment(self, want: ssl.SSLError) -> bool:
        began = time.monotonic()
        came = self._grace > 0 and self._sock.wait_until(_wanted(want), self._grace)
        self._grace -= time.monotonic() - began
        return came

    def _flow(self, flows: bool) -> None:
        if flows:
            self._events.put(None)

    # -- by the connection's thread -----------------------------------------------------------------------------------

    def result_of(self, done: Future[Result]) -> Result:
        """Send buffered data until the request's thread is done; return its result, or raise its exception."""
        events = self._events
        done.add_done_callback(lambda _: events.put(None))
        while not done.done():
            events.get()
            self._pour()
        return done.result()

    def finish(self) -> None:
        """Send all buffered data.

        Raises:
            ClientGone: the client did not receive it.
        """
        self._pour()
        try:
            if self._output is not None:
                self._output.check()
        except OSError as error:
            raise ClientGone(str(error)) from error

    def end(self) -> None:
        """Discard what is still buffered; the response is over."""
        if self._output is not None:
            self._output.discard()
        self._sock.guard = None

    def _pour(self) -> None:
        buffer = self._output
        while buffer is not None and buffer.held:
            began, moved = time.monotonic(), buffer.moved
            try:
                buffer.pour()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as want:
                self._wait(buffer, want, began, moved)
            except (OSError, ValueError) as error:
                buffer.fail(error)

    def _wait(self, buffer: OutputBuffer, want: ssl.SSLError, began: float, moved: int) -> None:
        try:
            self._sock.wait_until(_wanted(want), self._rate.left)
            if not self._rate.count(buffer.moved - moved, time.monotonic() - began):
                raise TimeoutError("the client took the answer too slowly")
        except OSError as error:
            buffer.fail(error)


def _wanted(want: ssl.SSLError) -> int:
    return system.READABLE if isinstance(want, ssl.SSLWantReadError) else system.WRITABLE

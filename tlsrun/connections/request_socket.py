"""A connection that a server gets once its request head was read, and that a slow client cannot hold forever."""

from __future__ import annotations

import contextlib
import functools
import socket
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from tlsrun.connections.output_buffer import OutputBuffer, OutputSink
from tlsrun.connections.read_ahead import RECORD, ReadAhead
from tlsrun.connections.sockets import ServerSocket

if TYPE_CHECKING:
    from typing_extensions import Buffer

Result = TypeVar("Result")

#: Seconds that a thread waits for the client of its answer before it leaves the rest to the event loop, so that a
#: client that is only slightly slower than the application needs no temporary file.
_GRACE = 0.1

_AT_ONCE = 65536  # bytes in one call of OpenSSL; less than `tlsrun.spool.PART`

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class RequestSocket(ReadAhead):
    """A `ServerSocket` that is read ahead, and that waits no longer than ``patience`` for its client.

    - Reads first return what was read ahead.
    - The descriptor is always non-blocking; the socket polls by itself, and only when it must. So changing the
      time-out for each request, as servers do, costs no system call, and a deadline holds for the whole operation.
    - ``setblocking(True)``, with which servers ask to wait forever, means ``patience`` seconds.
    - The head of a response is held back until the first bytes of its body, to share a TLS record with them.
    - The last bytes of the handshake may be held back until the answer, to share a packet with it (`gather`).
    - What the client does not take of an answer is left to the event loop, up to a limit; so is the close, then.
    - An answer that breaks off ends in a reset, so that no client takes it for complete.

    Attributes:
        patience: seconds that one read or write may wait, and that all reads of a request together may wait beyond
            the time that 500 bytes per second take; None for no limit. A slower client is treated as gone
            (ConnectionResetError).
        output_buffer: what is left to the event loop to send; None as long as nothing was.
        retire: takes over the descriptor in `close` after a shutdown, for a lingering close that occupies no thread;
            None to close at once.
    """

    retire: Callable[[int], None] | None = None
    _sink: OutputSink | None = None
    _grace = _GRACE
    _continued = _owes_goodbye = False
    _held = b""
    _answering = _begun = _broken = False

    def begin(
        self, patience: float | None, retire: Callable[[int], None] | None, sink: OutputSink | None = None
    ) -> None:
        """Call it once, before the handshake; without a ``sink``, threads wait for the clients of their answers."""
        self.patience = patience
        self.retire = retire
        self._sink = sink
        ServerSocket.settimeout(self, 0)  # the descriptor's; our own method only stores it

    # -- before a server has the connection -------------------------------------------------------------------

    def say_continue(self) -> None:
        """Ask the client for its body (100 Continue); the one that the server sends later is left out.

        Raises:
            OSError: as the ssl module's.
        """
        super().send(_CONTINUE)
        self.let_go()
        self._continued = True

    def hand_over(self) -> None:
        """Begin a request: the time that its client may keep a thread waiting is counted from here."""
        self._searched = 0
        self._credit = self.patience or 0.0
        self._grace = _GRACE

    # -- writing ----------------------------------------------------------------------------------------------

    def sendall(self, data: Buffer, flags: int = 0) -> None:
        """As ssl.SSLSocket.sendall, but the head of a final response is held back until the next write or `flush`."""
        whole = bytes(data)
        if self._held and len(whole) <= RECORD:
            whole, self._held = self._held + whole, b""
        elif not self._held and _is_head(whole):
            self._held = whole
            self._begun = True
            return
        elif self._held:
            self.flush()
        self._send_all(memoryview(whole), flags)

    def _send_all(self, data: memoryview, flags: int) -> None:
        """Send; what the client does not take soon is left to the event loop."""
        output_buffer = self.output_buffer
        if output_buffer is None or not output_buffer.held:
            while data:
                try:
                    # OpenSSL wants the same bytes again after a failed send (SSL_write(3)): the buffer sees to it.
                    data = data[self._send_at_once(data[:_AT_ONCE], flags) :]
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as want:
                    if self._sink is None or self._timeout == 0:
                        data = data[self.send(data, flags) :]
                    elif not self._wait_a_moment(want):
                        break
        if data:
            self.let_go()
            if self.output_buffer is None:
                assert self._sink is not None  # noqa: S101 -- else all was sent
                send = functools.partial(ssl.SSLSocket.send, self)
                self.output_buffer = OutputBuffer(send, self._sink, self.patience)
            self.output_buffer.add(data)

    def _send_at_once(self, data: Buffer, flags: int) -> int:
        if self.output_buffer is None:
            sent = super().send(data, flags)
        else:
            with self.output_buffer.changed:
                sent = super().send(data, flags)
        if self._gathers:
            self.let_go()
        return sent

    def _wait_a_moment(self, want: Exception) -> bool:
        """Wait for what is left of the grace time; returns whether the client has taken something."""
        began = time.monotonic()
        try:
            self._wait(want, began + self._grace, "read")
        except OSError:
            return False
        finally:
            self._grace = max(0.0, self._grace - (time.monotonic() - began))
        return True

    def flush(self) -> None:
        """Send what was held back."""
        if self._held:
            held, self._held = self._held, b""
            self._send_all(memoryview(held), 0)

    def send(self, data: Buffer, flags: int = 0) -> int:
        """As ssl.SSLSocket.send.

        Raises:
            ConnectionResetError: the client took nothing for ``patience`` seconds.
        """
        if self._continued and data == _CONTINUE:
            self._continued = False
            return len(_CONTINUE)
        self.flush()
        if self.output_buffer is not None and self.output_buffer.held:
            whole = memoryview(data).cast("B")
            self.output_buffer.add(whole)
            return len(whole)
        began: float | None = None
        while True:
            try:
                return self._send_at_once(data, flags)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as want:
                if self._timeout == 0:
                    raise
                began = began or time.monotonic()
                self._wait(want, None if self._timeout is None else began + self._timeout, "read")

    def answer(self, handle: Callable[..., Result], *arguments: Any) -> Result:
        """Call ``handle``, in which the application answers; an error in mid-answer ends the connection in a reset."""
        self._answering, self._begun = True, False
        try:
            return handle(*arguments)
        except BaseException:
            self._broken = self._broken or self._begun
            raise
        finally:
            self._answering = False

    # -- the end ----------------------------------------------------------------------------------------------

    def shutdown(self, how: int) -> None:
        """As socket.shutdown, with a close_notify; what the client still sends is for ``retire`` to discard."""
        if self._broken or (self._answering and self._begun):
            self._broken = self._finished = True
            self.abort()
            return
        self.flush()
        if how != socket.SHUT_RD and self._is_held():
            self._finished = self._owes_goodbye = True
            return
        super().shutdown(how)
        self._finished = self._finished or (self.retire is not None and how != socket.SHUT_RD)

    def close(self) -> None:
        """As socket.close; or leave the connection to the event loop, or after a shutdown to ``retire``."""
        if not self._broken and self._is_held() and self._sink is not None and self._sink.leave():
            return  # the loop closes it
        if self._owes_goodbye:
            self._owes_goodbye = False
            with contextlib.suppress(OSError):
                super().shutdown(socket.SHUT_WR)
        if self._body is not None:
            self._body.close()
            self._body = None
        if self._finished and not self._broken and self.retire is not None and self.fileno() >= 0:
            self.retire(self.detach())
            return
        super().close()

    def abort(self) -> None:
        """As `ServerSocket.abort`; what is still buffered is discarded."""
        self._broken = True
        if self.output_buffer is not None:
            self.output_buffer.discard()
        super().abort()

    def _is_held(self) -> bool:
        """Whether a part of an answer is buffered until the client takes it."""
        return self.output_buffer is not None and self.output_buffer.held > 0

    def farewell(self) -> None:
        """Shut down and close: nothing more is sent, and no reset destroys what the client has yet to read."""
        with contextlib.suppress(OSError):
            self.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            self.close()


def _is_head(data: bytes) -> bool:
    """Whether it is the head of a final response; an interim one (1xx) must not be held back."""
    return data.startswith(b"HTTP/1.") and data.endswith(b"\r\n\r\n") and data[9:10] != b"1"

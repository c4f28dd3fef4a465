"""A connection handed over with the head of its request read already, which no slow client can hold for ever."""

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

#: Seconds that an answer's thread waits for its client before it leaves the rest to the loop: a client that is only a
#: bit slower than the application costs no file then.
_GRACE = 0.1

_AT_ONCE = 65536  # bytes that OpenSSL is given at once; less than a part of a spool

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class RequestSocket(ReadAhead):
    """A `ServerSocket` that was read ahead, and that waits no longer than ``patience`` for its client.

    - Reads return what was read ahead before they ask the connection.
    - To the operating system it never blocks; it waits by itself, and only when it must. So a server that changes
      the time-out for each request pays no system call for it, and a deadline is one deadline.
    - "Wait for ever", which servers say (``setblocking(True)``), means ``patience`` seconds here.
    - The head of a response waits for the first bytes of its body, to share a TLS record with them.
    - What was written at the end of the handshake may wait for the answer, to share a packet with it (`gather`).
    - What the client of an answer does not take is left to the loop, up to a bound; so is the goodbye then.
    - An answer that breaks off ends in a reset, so that no client takes it for whole.

    Attributes:
        patience: seconds one read or write may wait, and seconds that all reads of a request may wait together
            beyond what 500 bytes each second take; None for ever. A slower client is one that went away
            (ConnectionResetError).
        output_buffer: the part of the answers that is left to the loop; None as long as nothing was.
        retire: takes the connection's descriptor over from `close` once it was shut down, to see the client off
            without keeping a thread; None to close at once.
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
        """To be called once, before the handshake; without an ``sink`` threads wait for the clients of answers."""
        self.patience = patience
        self.retire = retire
        self._sink = sink
        ServerSocket.settimeout(self, 0)  # to the operating system; ours remembers only

    # -- by who waits for the request -------------------------------------------------------------------------

    def say_continue(self) -> None:
        """Have the client send its body; what the server says to that end later is left out.

        Raises:
            OSError: as the ssl module's.
        """
        super().send(_CONTINUE)
        self.let_go()
        self._continued = True

    def hand_over(self) -> None:
        """The request begins: what its client may keep a thread waiting is counted from here."""
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
        """Send, and leave what the client does not take soon to the loop."""
        output_buffer = self.output_buffer
        if output_buffer is None or not output_buffer.held:
            while data:
                try:
                    # OpenSSL wants to be given all of it again when it cannot send it: the buffer does.
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
        """Whether the client is only a bit slower than the application."""
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
        """Call ``handle``, by which the application answers; after an error in the middle nothing mends the answer."""
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
        """As socket.shutdown, with a close_notify; what the client still sends is for ``retire`` to read away."""
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
        """As socket.close, or hand the connection to the loop, or to ``retire`` after a shutdown."""
        if not self._broken and self._is_held() and self._sink is not None and self._sink.leave():
            return  # it says goodbye
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
        """As `ServerSocket.abort`; nothing that waits is sent any more."""
        self._broken = True
        if self.output_buffer is not None:
            self.output_buffer.discard()
        super().abort()

    def _is_held(self) -> bool:
        """Whether a part of an answer waits for the client."""
        return self.output_buffer is not None and self.output_buffer.held > 0

    def farewell(self) -> None:
        """Say goodbye and close: nothing more is sent, and nothing of the client's is lost to a reset."""
        with contextlib.suppress(OSError):
            self.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            self.close()


def _is_head(data: bytes) -> bool:
    """Whether it is the head of a final response; one of status 1xx announces, and must not wait."""
    return data.startswith(b"HTTP/1.") and data.endswith(b"\r\n\r\n") and data[9:10] != b"1"

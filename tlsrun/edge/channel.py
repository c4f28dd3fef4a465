"""TLS on one client's connection: the handshake, records in and out, close_notify; no HTTP.

The TLS runs in memory (ssl.MemoryBIO) between transport and protocol, not in the event loop's own TLS transport: so a
client that ends its side still gets its answer, a failed handshake is a line in words, plain HTTP is seen by its first
byte, and an answer that broke off ends without a close_notify, which the client notices.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl

from tlsrun.connections.handshake import FAILURES
from tlsrun.connections.opening import Opening, OpeningStep, Then
from tlsrun.edge.transport import FlowControlledProtocol

_RECORD = 16384  # bytes of plaintext in one record (RFC 8446, section 5.1)


class Channel(FlowControlledProtocol):
    """TLS on a client's connection; a subclass speaks HTTP over it.

    Arguments:
        context: makes the TLS side.
        seconds: the timeout up to the end of the handshake; the subclass enforces it.
        patience: bytes to discard after the last answer before the connection is closed regardless.

    Attributes:
        peer: the client's address; the proxy's until its PROXY header has come.
        ended: the client has shut down its sending side; it may still read.
        closing: nothing more is sent, and received data is discarded.
    """

    _opening: Opening | None = None

    def __init__(self, context: ssl.SSLContext, seconds: float, patience: int) -> None:
        super().__init__()
        self._context = context
        self._seconds = seconds
        self._tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.shaken = False
        self.ended = False
        self.closing = False
        self._patience = patience

    # Callbacks for the subclass.

    def connected(self) -> None:
        """The connection was accepted; no byte was exchanged yet."""

    def opened(self, tls: ssl.SSLObject) -> None:
        """The handshake is done."""

    def refused(self) -> None:
        """There will be no TLS. The client may still be reading why, so set a deadline for closing."""

    def received(self, data: bytes) -> None:
        """The client sent ``data``."""

    def half_closed(self) -> None:
        """The client will send no more."""

    def lost(self) -> None:
        """The connection is gone."""

    # Methods for the subclass.

    def send(self, data: bytes) -> None:
        """Send ``data``."""
        tls = self._tls
        if self.closing or tls is None:
            return
        try:
            tls.write(data)
        except ssl.SSLError:
            self.abort()
            return
        self._flush()

    def finish(self) -> None:
        """Send what is still unsent and close_notify (RFC 8446, section 6.1), then close."""
        self._notify()
        self.closing = True
        self._transport.close()

    def hang_up(self) -> None:
        """As `finish`, but linger and discard what the client still sends: else a reset could destroy the answer.

        RFC 9112, section 9.6. Who calls closes later.
        """
        self._notify()
        self._end_our_side()

    def cut(self) -> None:
        """Close without close_notify, so that the client sees that the answer is incomplete."""
        self.closing = True
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self.closing = True
        self._transport.abort()

    def time_out_handshake(self) -> None:
        """Give up a handshake that takes too long."""
        if self._opening is not None:
            self._part(self._opening.fail(TimeoutError()))

    def give_way(self) -> None:
        """Close in the middle of the handshake, to make room for a newer connection."""
        if self._opening is not None:
            self._log(self._opening.give_way())
        self.abort()

    # Callbacks from the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._opening = Opening(self._context, self.peer, self._seconds)
        self.connected()

    def data_received(self, data: bytes) -> None:
        tls = self._tls
        if self.closing:
            self._patience -= len(data)
            if self._patience < 0:
                self._transport.abort()
        elif tls is not None and self.shaken:
            self._incoming.write(data)
            self._decrypt(tls)
        elif self._opening is not None:
            self._shake(data, self._opening)

    def eof_received(self) -> bool:
        opening = self._opening
        if self.shaken:
            self._end()
        elif opening is not None:
            self._part(opening.see(b"") if self._tls is None else opening.fail(ConnectionResetError()))
        return not self.closing

    def connection_lost(self, error: Exception | None) -> None:
        if self._opening is not None and not self.closing:
            self._log(self._opening.fail(ConnectionResetError()))
        self.closing = True
        self.lost()

    # Internals.

    def _shake(self, data: bytes, opening: Opening) -> None:
        tls = self._tls
        if tls is None:
            step = opening.see(data)
            while step.then is Then.READ:
                data = data[step.take :]
                if not data:
                    return
                step = opening.see(data)
            self.peer = opening.peer
            if step.then is not Then.SHAKE:
                self._part(step)
                return
            tls = self._tls = self._context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._incoming.write(data)
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except (OSError, ValueError) as error:
            self._flush()  # the alert
            self._part(opening.fail(error))
            return
        self._flush()
        self.shaken = True
        self._opening = None
        self.opened(tls)
        if self._incoming.pending and not self.closing:
            self._decrypt(tls)

    def _part(self, step: OpeningStep) -> None:
        """End the opening: there will be no TLS."""
        self._log(step)
        if step.send:
            self._transport.write(step.send)
        if step.then is Then.LINGER:
            self._end_our_side()
        else:
            self.cut()
        self.refused()

    def _log(self, step: OpeningStep) -> None:
        self._opening = None
        FAILURES.failed(self.peer, step.words, level=step.level)

    def _end_our_side(self) -> None:
        self.closing = True
        with contextlib.suppress(OSError):  # the client has reset the connection
            self._transport.write_eof()
        self.resume_reading()

    def _decrypt(self, tls: ssl.SSLObject) -> None:
        """Decrypt complete records; `received` is called once for all records of one read."""
        incoming = self._incoming
        pieces: list[bytes] = []
        end = False
        try:
            while True:
                piece = tls.read(_RECORD)
                if not piece:
                    end = True
                    break
                pieces.append(piece)
                if not incoming.pending and not tls.pending():
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            end = True
        except ssl.SSLError:
            self._flush()  # the alert
            self.cut()
            return
        if self._outgoing.pending:  # a reply to a KeyUpdate
            self._flush()
        if pieces:
            self.received(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if end and not self.closing:
            self._end()

    def _end(self) -> None:
        if not self.ended:
            self.ended = True
            self.half_closed()

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            self._written += len(data)
            self._transport.write(data)

    def _notify(self) -> None:
        if self._tls is None or self.closing:
            return
        with contextlib.suppress(OSError, ValueError):  # SSLWantReadError: the client's own is not waited for
            self._tls.unwrap()
        self._flush()

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
    """One client's connection; a subclass speaks HTTP over it.

    Arguments:
        context: makes the TLS side.
        seconds: that a client has up to the end of the handshake; a subclass keeps the deadline.
        patience: bytes to throw away after the last answer, before the connection is closed at once.

    Attributes:
        peer: the client's address, as soon as a trusted proxy has said whose it is.
        ended: the client has ended its side; it may still read.
        closing: no more is sent; what comes is thrown away.
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

    # What a subclass does.

    def connected(self) -> None:
        """The connection is there; no byte was exchanged."""

    def opened(self, tls: ssl.SSLObject) -> None:
        """The handshake is done."""

    def refused(self) -> None:
        """There will be no TLS. The client may still read why: who closes by a deadline sets one."""

    def received(self, data: bytes) -> None:
        """The client sent ``data``."""

    def half_closed(self) -> None:
        """The client will send no more."""

    def lost(self) -> None:
        """The connection is gone."""

    # What a subclass calls.

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
        """Say that no more will come (RFC 8446, section 6.1), send what is still to be sent, close."""
        self._notify()
        self.closing = True
        self._transport.close()

    def hang_up(self) -> None:
        """As `finish`, but stay and throw away what the client still sends, or it would reset the answer away.

        RFC 9112, section 9.6. Who calls closes later.
        """
        self._notify()
        self._end_our_side()

    def cut(self) -> None:
        """Close without close_notify: the client shall see that something is missing."""
        self.closing = True
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self.closing = True
        self._transport.abort()

    def time_out_handshake(self) -> None:
        """Give up a handshake that takes longer than it may."""
        if self._opening is not None:
            self._part(self._opening.fail(TimeoutError()))

    def give_way(self) -> None:
        """Close for the sake of a newer connection, before the handshake is over."""
        if self._opening is not None:
            self._log(self._opening.give_way())
        self.abort()

    # What the event loop calls.

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

    # Within.

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
        """There will be no TLS."""
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
        with contextlib.suppress(OSError):  # it has reset the connection
            self._transport.write_eof()
        self.resume_reading()

    def _decrypt(self, tls: ssl.SSLObject) -> None:
        """Hand on what is whole of what came; one call for all records of one read."""
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
        if self._outgoing.pending:  # an answer to a key update
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

"""TLS on one client's connection: the handshake, records in and out, close_notify; no HTTP.

The TLS runs in memory (ssl.MemoryBIO) between transport and protocol, not in the event loop's own TLS transport: so a
client that ends its side still gets its answer, a failed handshake is a line in words, plain HTTP is seen by its first
byte, and an answer that broke off ends without a close_notify, which the client notices.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable

from tlsrun.connections.handshake import FAILURES, reason
from tlsrun.edge.carrier import Carrier
from tlsrun.proxies import proxy_protocol
from tlsrun.proxies.introduction import is_introduced
from tlsrun.redirect import plain

_RECORD = 16384  # bytes of plaintext in one record (RFC 8446, section 5.1)
_FIRST = 64  # bytes kept to say why a handshake failed


class Channel(Carrier):
    """One client's connection; a subclass speaks HTTP over it.

    Arguments:
        context: makes the TLS side.
        answerer: makes the response to a plain HTTP request, or None to close without a word.
        patience: bytes to throw away after the last answer, before the connection is closed at once.

    Attributes:
        peer: the client's address, as soon as a trusted proxy has said whose it is.
        ended: the client has ended its side; it may still read.
        closing: no more is sent; what comes is thrown away.
    """

    def __init__(
        self, context: ssl.SSLContext, answerer: Callable[[bytes], bytes | None] | None, patience: int
    ) -> None:
        super().__init__()
        self._answerer = answerer
        self._context = context
        self._tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._first = b""
        self._introduction: bytes | None = None  # what is there of a PROXY header; None where none is to come
        self.shaken = False
        self.ended = False
        self.closing = False
        self._patience = patience

    # What a subclass does.

    def connected(self) -> None:
        """The connection is there; no byte was exchanged."""

    def opened(self, tls: ssl.SSLObject) -> None:
        """The handshake is done."""

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
        self.closing = True
        with contextlib.suppress(OSError):  # it has reset the connection
            self._transport.write_eof()
        self.go_on()

    def cut(self) -> None:
        """Close without close_notify: the client shall see that something is missing."""
        self.closing = True
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self.closing = True
        self._transport.abort()

    def time_out_handshake(self, seconds: float) -> None:
        """Give up a handshake that takes longer than it may."""
        self._fail(self._with_bytes(reason(TimeoutError(), self._first, timeout=seconds)))

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._introduction = b"" if is_introduced(self._context, self.peer) else None
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
        else:
            self._shake(data)

    def eof_received(self) -> bool:
        if self.shaken:
            self._end()
        elif not self.closing:
            self._client_closed()
            self.cut()
        return not self.closing

    def connection_lost(self, error: Exception | None) -> None:
        if not self.shaken and not self.closing:
            self._client_closed()
        self.closing = True
        self.lost()

    # Within.

    def _introduce(self, data: bytes) -> bytes:
        """Take a PROXY header; returns what follows."""
        data = (self._introduction or b"") + data
        try:
            found = proxy_protocol.parse(data)
        except proxy_protocol.Malformed as error:
            self._fail(str(error))
            return b""
        if found is None:
            self._introduction = data
            return b""
        self._introduction = None
        self.peer = found.source or self.peer
        return data[found.size :]

    def _shake(self, data: bytes) -> None:
        if self._introduction is not None:
            data = self._introduce(data)
            if not data:
                return
        tls = self._tls
        if tls is None:
            self._first += data
            kind = plain.kind_of(self._first)
            if kind is not plain.First.TLS:
                self._not_tls(kind)
                return
            tls = self._tls = self._context.wrap_bio(self._incoming, self._outgoing, server_side=True)
            data, self._first = self._first, self._first[:_FIRST]
        self._incoming.write(data)
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except (OSError, ValueError) as error:
            self._flush()  # the alert
            self._fail(reason(error, self._first))
            return
        self._flush()
        self.shaken = True
        self._first = b""
        self.opened(tls)
        if self._incoming.pending and not self.closing:
            self._decrypt(tls)

    def _not_tls(self, kind: plain.First) -> None:
        """Answer a person who typed http://, and nobody else."""
        if kind is plain.First.INCOMPLETE or kind is plain.First.HTTP and not plain.head_is_whole(self._first):
            return
        response = self._answerer(self._first) if self._answerer is not None and kind is plain.First.HTTP else None
        if response is not None:
            self._transport.write(response)
        self._fail(reason(ssl.SSLError("not TLS"), self._first[:_FIRST]))

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

    def _fail(self, words: str) -> None:
        self._log_failure(words)
        self.closing = True
        self._transport.close()

    def _client_closed(self) -> None:
        """It went before the handshake was over. Who says no word looks whether the port is open (a health check)."""
        level = logging.INFO if self._first else logging.DEBUG
        FAILURES.failed(self.peer, self._with_bytes("client closed"), level=level)

    def _with_bytes(self, words: str) -> str:
        return words if self._first else f"{words}, without a byte"

    def _log_failure(self, words: str) -> None:
        FAILURES.failed(self.peer, words)

"""The opening of a connection, up to TLS or to its end: bytes and events in, what is to be done out; no sockets here.

===== ======================== ================== ============================ ========================
phase what lies on the wire    what is taken      what follows                 if it is nothing of that
===== ======================== ================== ============================ ========================
PROXY a part of a PROXY header all of it          PROXY, `Then.READ`           `Then.CLOSE`
PROXY a whole one              it, and no more    HELLO, `Then.READ`
HELLO 0x16                     nothing            TLS, `Then.SHAKE`            as PLAIN
PLAIN a part of a request      all, up to a bound PLAIN, `Then.READ`           `Then.CLOSE`
PLAIN a whole one, or its end  all, up to a bound an answer, and `Then.LINGER` `Then.CLOSE`
===== ======================== ================== ============================ ========================

In each of them, and in the handshake, an end, an error, or that time is over means `Then.CLOSE`; an alert was sent in
the handshake, `Then.LINGER`. Whoever has the connection shows what lies on the wire (`Opening.see`) and does what
the `OpeningStep` says: a blocking socket (`tlsrun.connections.handshaking`), the reactor
(`tlsrun.connections.arrival`), and TLS in memory (`tlsrun.edge.channel`). The handshake is OpenSSL's; how it failed is
told to `Opening.fail`.
"""

from __future__ import annotations

import enum
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tlsrun.connections.handshake import reason
from tlsrun.proxies import proxy_protocol
from tlsrun.redirect import plain

#: Bytes to show at a time: all of most PROXY headers, and more than is needed of a ClientHello.
SIGHT = 4096

_FIRST = 64  # bytes kept for the words of a failure: a ClientHello's version lies within them


def nobody(host: str) -> bool:
    """The `ServerContext.allowed_host` that redirects nobody."""
    return False


class OpeningPhase(enum.Enum):
    """Where an opening is; nothing more is seen of it after the last byte before TLS."""

    PROXY = "a trusted proxy is about to say who the client is"
    HELLO = "before the client's first byte"
    PLAIN = "what comes is not TLS"


class Then(enum.Enum):
    """What a step leaves to do."""

    READ = "more bytes are needed"
    SHAKE = "TLS begins with the next byte on the wire"
    LINGER = "end our side, and read away what comes: closing on unread bytes resets what was said (RFC 9112, 9.6)"
    CLOSE = "close"


@dataclass(frozen=True, kw_only=True)
class OpeningStep:
    """What is to be done.

    Arguments:
        then: what is left to do, after all of the others.
        take: bytes to take off the wire.
        send: to be sent without TLS.
        words: why there will be no TLS, for the log of failed handshakes; empty as long as there may be.
        level: of that line.
    """

    then: Then = Then.READ
    take: int = 0
    send: bytes = b""
    words: str = ""
    level: int = logging.INFO


_SHAKE = OpeningStep(then=Then.SHAKE)


class Opening:
    """One connection before TLS.

    Arguments:
        context: a `ServerContext`; others trust no proxy, and redirect nobody.
        peer: who has made the connection, an address as the socket module has it.
        seconds: that the opening may take as a whole; whoever has the connection keeps the deadline.

    Attributes:
        seconds: as given.
        peer: the client, as soon as a trusted proxy has said who that is.
        proxied_client: the same, but None where no proxy has said it.
    """

    __slots__ = ("_allowed", "_first", "_held", "_phase", "peer", "proxied_client", "seconds")

    def __init__(self, context: ssl.SSLContext | None, peer: Any, seconds: float) -> None:
        self.peer = peer
        self.proxied_client: tuple[str, int] | None = None
        self._allowed: Callable[[str], bool] = getattr(context, "allowed_host", nobody)
        self.seconds = seconds
        self._first = self._held = b""
        proxy_protocol_peers = getattr(context, "proxy_protocol_peers", None)
        awaited = proxy_protocol_peers and isinstance(peer, tuple) and peer[0] in proxy_protocol_peers
        self._phase = OpeningPhase.PROXY if awaited else OpeningPhase.HELLO

    def see(self, data: bytes) -> OpeningStep:
        """What to do about ``data``, which lies on the wire behind what was taken; b"" is the end of the stream.

        To be called again after `Then.READ`, with what is left of ``data`` if that is not nothing.
        """
        return _SEES[self._phase](self, data)

    def fail(self, error: BaseException) -> OpeningStep:
        """What to do about an error: a socket's, OpenSSL's in the handshake, or TimeoutError when time is over."""
        if isinstance(error, proxy_protocol.Malformed):
            return OpeningStep(then=Then.CLOSE, words=str(error))
        words = reason(error, self._first, timeout=self.seconds)
        # OpenSSL has sent an alert, which a reset would overtake.
        told = isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError)
        # Who closes without a word looked whether the port is open, or changed his mind.
        looked = not self._first and not isinstance(error, TimeoutError)
        return OpeningStep(
            then=Then.LINGER if told else Then.CLOSE,
            words=words if self._first else f"{words}, without a byte",
            level=logging.DEBUG if looked else logging.INFO,
        )

    def give_way(self) -> OpeningStep:
        """What to do when a newer connection gets the place."""
        return OpeningStep(then=Then.CLOSE, words="it gave way to newer connections: too many wait at once")

    # -- phases -----------------------------------------------------------------------------------------------

    def _proxy(self, data: bytes) -> OpeningStep:
        if not data:
            return self.fail(ConnectionResetError())
        taken, self._held = len(self._held), self._held + data
        try:
            found = proxy_protocol.parse(self._held)
        except proxy_protocol.Malformed as error:
            return self.fail(error)
        if found is None:
            return OpeningStep(take=len(data))
        self._held = b""
        self.proxied_client = found.source
        self.peer = found.source or self.peer
        self._phase = OpeningPhase.HELLO
        return OpeningStep(take=found.size - taken)

    def _hello(self, data: bytes) -> OpeningStep:
        if plain.kind_of(data) is plain.First.TLS:
            self._first = data[:_FIRST]
            return _SHAKE
        self._phase = OpeningPhase.PLAIN
        return self._plain(data)

    def _plain(self, data: bytes) -> OpeningStep:
        size = min(len(data), plain.MAX_HEAD - len(self._held))
        self._held += data[:size]
        self._first = self._held[:_FIRST]
        kind = plain.kind_of(self._first)
        whole = kind is plain.First.HTTP and plain.head_is_whole(self._held)
        if data and not whole and kind is not plain.First.OTHER:
            return OpeningStep(take=size)
        answer = plain.answer(self._held, self._allowed) if kind is plain.First.HTTP else None
        failure = self.fail(ConnectionResetError())
        if answer is None:
            return OpeningStep(then=Then.CLOSE, take=size, words=failure.words, level=failure.level)
        return OpeningStep(then=Then.LINGER, take=size, send=answer, words=failure.words)


_SEES: dict[OpeningPhase, Callable[[Opening, bytes], OpeningStep]] = {
    OpeningPhase.PROXY: Opening._proxy,
    OpeningPhase.HELLO: Opening._hello,
    OpeningPhase.PLAIN: Opening._plain,
}

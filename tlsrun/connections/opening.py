"""The opening of a connection, up to TLS or to its end, as a state machine without I/O: bytes in, actions out.

===== ======================== ================== ============================ ========================
phase what is on the wire      what is taken      what follows                 if it is none of that
===== ======================== ================== ============================ ========================
PROXY a part of a PROXY header all of it          PROXY, `Then.READ`           `Then.CLOSE`
PROXY a whole one              it, and no more    HELLO, `Then.READ`
HELLO 0x16                     nothing            TLS, `Then.SHAKE`            as PLAIN
PLAIN a part of a request      all, up to a bound PLAIN, `Then.READ`           `Then.CLOSE`
PLAIN a whole one, or its end  all, up to a bound an answer, and `Then.LINGER` `Then.CLOSE`
===== ======================== ================== ============================ ========================

In every phase, and in the handshake, end of stream, an error or a timeout leads to `Then.CLOSE`; a handshake in which
we sent an alert leads to `Then.LINGER`. The owner of the connection passes in what is on the wire (`Opening.see`) and
does what the `OpeningStep` says: a blocking socket (`tlsrun.connections.handshaking`), the reactor
(`tlsrun.connections.arrival`), or TLS in memory (`tlsrun.edge.channel`). OpenSSL does the handshake; if it fails, the
owner calls `Opening.fail`.
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

#: Bytes to pass in at a time: most PROXY headers fit, and it is more than is needed of a ClientHello.
SIGHT = 4096

_FIRST = 64  # bytes kept to explain a failure: they include a ClientHello's version


def nobody(host: str) -> bool:
    """The `ServerContext.allowed_host` that redirects nobody."""
    return False


class OpeningPhase(enum.Enum):
    """The phase of an opening; it ends with the last byte before TLS."""

    PROXY = "a trusted proxy is about to say who the client is"
    HELLO = "before the client's first byte"
    PLAIN = "what comes is not TLS"


class Then(enum.Enum):
    """What to do after the rest of a step."""

    READ = "more bytes are needed"
    SHAKE = "TLS begins with the next byte on the wire"
    LINGER = "end our side, and read away what comes: closing on unread bytes resets what was said (RFC 9112, 9.6)"
    CLOSE = "close"


@dataclass(frozen=True, kw_only=True)
class OpeningStep:
    """What the owner of the connection must do.

    Arguments:
        then: what to do last.
        take: how many bytes to take off the wire.
        send: bytes to send unencrypted.
        words: why there will be no TLS, for the log of failed handshakes; empty while TLS is still possible.
        level: the log level for ``words``.
    """

    then: Then = Then.READ
    take: int = 0
    send: bytes = b""
    words: str = ""
    level: int = logging.INFO


_SHAKE = OpeningStep(then=Then.SHAKE)


class Opening:
    """A connection before TLS.

    Arguments:
        context: a `ServerContext`; with any other, no proxy is trusted and nobody is redirected.
        peer: the other end of the connection, an address as in the socket module.
        seconds: the timeout for the whole opening; the owner of the connection enforces it.

    Attributes:
        seconds: as given.
        peer: the client; until a trusted proxy has named it, the proxy.
        proxied_client: the client as named by a proxy, else None.
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
        """Decide about ``data``, the next bytes on the wire after those taken; b"" is the end of the stream.

        After `Then.READ`, call it again: with the untaken rest of ``data`` if there is one, else with new bytes.
        """
        return _SEES[self._phase](self, data)

    def fail(self, error: BaseException) -> OpeningStep:
        """Decide about an error: from the socket, from OpenSSL in the handshake, or TimeoutError for the deadline."""
        if isinstance(error, proxy_protocol.Malformed):
            return OpeningStep(then=Then.CLOSE, words=str(error))
        words = reason(error, self._first, timeout=self.seconds)
        # OpenSSL has sent an alert, which a reset would destroy.
        told = isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError)
        # A client that closes without a byte probed the port, or changed its mind.
        looked = not self._first and not isinstance(error, TimeoutError)
        return OpeningStep(
            then=Then.LINGER if told else Then.CLOSE,
            words=words if self._first else f"{words}, without a byte",
            level=logging.DEBUG if looked else logging.INFO,
        )

    def give_way(self) -> OpeningStep:
        """Decide what to do when a newer connection takes this one's place."""
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

"""One client over TCP: our TLS on the outside, Hypercorn's HTTP/1.1 or HTTP/2 on the inside, and its deadlines.

The states of a connection, each with what ends it::

    HANDSHAKE ──► IDLE ◄──► BUSY (requests are answered) ──► LEAVING (the last answer is on its way) ──► gone
    handshake_timeout   keep_alive_timeout   the client takes nothing for so long   it lingers
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Callable
from enum import Enum

from hypercorn.events import Closed, Event, RawData, Updated

from tlsrun.connections.handshake import FAILURES
from tlsrun.edge.channel import Channel
from tlsrun.servers.hypercorn.environ import Line
from tlsrun.servers.hypercorn.events import Broken
from tlsrun.servers.hypercorn.http1 import Http1
from tlsrun.servers.hypercorn.http2 import Http2
from tlsrun.servers.hypercorn.serving import Serving
from tlsrun.servers.hypercorn.streams import StreamFactory
from tlsrun.servers.hypercorn.tasks import Tasks

_READ_AHEAD = 65536  # bytes read of a client before it has to wait
_AT_ONCE = 16384  # bytes of a client that are looked at before it is the others' turn
#: Bytes thrown away of a request that nobody wants any more, within `_LINGER`. A client may have megabytes on the way
#: before it looks for the answer, and a reset would take that away from it.
_DRAINED = 1 << 24
_GLANCE = 0.02  # seconds between the end of a client's time and the last look at what it has sent
_LINGER = 2.0  # seconds that a client has to take the last answer, when it has sent what nobody reads
_PROGRESS = 4096  # bytes that a client must take within the patience


class _State(Enum):
    HANDSHAKE = 1
    IDLE = 2
    BUSY = 3
    LEAVING = 4


class TcpConnection(Channel):
    """Made by the loop for each client.

    Arguments:
        worker: whose it is.
    """

    def __init__(self, worker: Serving) -> None:
        super().__init__(worker.context, worker.handshake_timeout, _DRAINED)
        self._worker = worker
        self._loop = worker.loop
        self._state = _State.HANDSHAKE
        self._timer: asyncio.TimerHandle | None = None
        self._inbox: deque[bytes] = deque()
        self._waiting = 0
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._tasks = Tasks(self._loop, worker.dispatcher, self.abort)
        self._protocol: Http1 | Http2
        self._served = False

    # What the channel tells.

    def connected(self) -> None:
        """The handshake has its deadline."""
        self._worker.connections.add(self)
        self._set_timer(self._worker.handshake_timeout, self._late)

    def opened(self, tls: ssl.SSLObject) -> None:
        """The client has chosen its protocol by ALPN (RFC 7301)."""
        if tls.selected_alpn_protocol() != "h2" and not self._worker.speaks_http1:
            FAILURES.failed(self.peer, "client does not speak HTTP/2, and nothing else is spoken here")
            self.abort()
            return
        self._become_idle(self._worker.head_timeout)
        line = Line(tls=tls, peer=self.peer, here=self.here)
        chosen = Http2 if tls.selected_alpn_protocol() == "h2" else Http1
        worker = self._worker
        factory = StreamFactory(config=worker.config, context=worker.hypercorn, tasks=self._tasks, line=line)
        self._protocol = chosen(factory, self._protocol_send)
        self._tasks.spawn(self._serve)

    def refused(self) -> None:
        """The client has a moment to read why."""
        self._set_timer(_LINGER, self.abort)

    def received(self, data: bytes) -> None:
        """Kept until Hypercorn takes it."""
        self._inbox.extend(data[at : at + _AT_ONCE] for at in range(0, len(data), _AT_ONCE))
        self._waiting += len(data)
        if self._waiting > _READ_AHEAD:
            self.pause_reading()
        self._arrived.set()

    def half_closed(self) -> None:
        """It may still read its answer."""
        self._arrived.set()

    def lost(self) -> None:
        """What runs for it hears that it is gone."""
        self._cancel_timer()
        self._worker.connections.discard(self)
        self._writable.set()
        self._arrived.set()
        if self._state is not _State.HANDSHAKE:
            self._tasks.spawn(self._let_go)
        self._state = _State.LEAVING

    def pause_writing(self) -> None:
        """The client does not take what is sent."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._writable.set()

    # What the worker asks for.

    def stop(self) -> None:
        """The worker stops: say goodbye when the client has said its last word."""
        if self._state is _State.IDLE:
            self._await_last_word()
        elif self._state is _State.HANDSHAKE:
            self._set_timer(self._worker.last_word, self._leave)

    def refuse(self) -> None:
        """Take no more requests, and answer those that have begun."""
        if self._state is _State.BUSY and isinstance(self._protocol, Http2):
            self._protocol.refuse()

    # Within.

    async def _serve(self) -> None:
        """Hand over what comes, in order."""
        protocol = self._protocol
        await protocol.initiate()
        while not self.closing:
            while self._inbox and not self.closing:
                data = self._inbox.popleft()
                self._waiting -= len(data)
                if self._waiting <= _READ_AHEAD:
                    self.resume_reading()
                await protocol.handle(RawData(data=data))
                if self._inbox:
                    await asyncio.sleep(0)
            if self.ended:
                break
            self._arrived.clear()
            await self._arrived.wait()
        if self.closing:
            return
        if isinstance(protocol, Http1):
            # An answer that is being made is still sent; a request that is not whole now never will be.
            await protocol.handle(RawData(data=b""))
            if protocol.idle:
                self._leave()
        else:
            self._leave()

    async def _let_go(self) -> None:
        await self._protocol.handle(Closed())
        self._tasks.cancel()

    async def _protocol_send(self, event: Event) -> None:
        if isinstance(event, RawData):
            self.send(event.data)
            if not self._writable.is_set():
                await self._until_taken()
        elif isinstance(event, Updated):
            if event.idle:
                self._become_idle(self._worker.config.keep_alive_timeout)
            else:
                self._become_busy()
        elif isinstance(event, Broken):
            self.cut()
        elif isinstance(event, Closed):
            self._leave()

    async def _until_taken(self) -> None:
        while not self._writable.is_set():
            before = self.taken()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._writable.wait(), self._worker.patience)
                return
            if self.taken() - before < _PROGRESS:
                self.abort()
                return

    def _become_idle(self, seconds: float) -> None:
        if self._state is _State.LEAVING:
            return
        self._state = _State.IDLE
        if self._worker.stopping:
            self._await_last_word()
        else:
            self._set_timer(seconds, self._late)

    def _await_last_word(self) -> None:
        """Be ready for a request that may be on its way.

        Not over HTTP/2: GOAWAY says which requests were not taken, and the client may send them elsewhere (RFC 9113,
        section 6.8). With HTTP/1.1 it would not know (RFC 9112, section 9.6).
        """
        known = self._served and isinstance(self._protocol, Http2)
        self._set_timer(0 if known else self._worker.last_word, self._leave if known else self._late)

    def _become_busy(self) -> None:
        if self._state is not _State.LEAVING:
            self._state, self._served = _State.BUSY, True
            self._cancel_timer()

    def _late(self) -> None:
        if self._state is _State.HANDSHAKE:
            self.time_out_handshake()
        else:
            self._set_timer(_GLANCE, self._leave_the_silent)

    def _leave_the_silent(self) -> None:
        """What has come in time counts, though this process was kept from looking at it (uvloop: timers go first)."""
        if self._inbox:
            self._set_timer(_GLANCE, self._leave_the_silent)
        else:
            self._leave()

    def _leave(self) -> None:
        """Say goodbye; what the client still sends is thrown away for a while, so that it reads its answer."""
        if self._state is _State.HANDSHAKE:
            self.abort()
            return
        if self._state is _State.LEAVING or self.closing:
            return
        self._state = _State.LEAVING
        self._inbox.clear()
        if isinstance(self._protocol, Http2) and (goodbye := self._protocol.goodbye()):
            self.send(goodbye)
        self.hang_up()
        self._set_timer(_LINGER, self._gone)
        self._tasks.spawn(self._let_go)

    def _gone(self) -> None:
        if self.flushed():
            self.abort()
        else:
            self._set_timer(self._worker.patience, self.abort)
            self.cut()

    def _set_timer(self, seconds: float, then: Callable[[], None]) -> None:
        self._cancel_timer()
        self._timer = self._loop.call_later(seconds, then)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

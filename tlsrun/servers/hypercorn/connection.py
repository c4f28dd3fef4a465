"""A client's TCP connection: our TLS, HTTP/1.1 or HTTP/2 inside it, and the deadlines.

The states of a connection, each with what ends it::

    HANDSHAKE ──► IDLE ◄──► BUSY (requests in flight) ──► LEAVING (sending the last response) ──► closed
    handshake_timeout   keep_alive_timeout   client receives nothing for `patience`   lingering close
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

_READ_AHEAD = 65536  # bytes received and not handled yet, above which reading pauses
_AT_ONCE = 16384  # bytes handled of one client before other clients get their turn
#: Bytes of an unwanted request discarded during `_LINGER`. A client may send megabytes before it reads the response,
#: and a TCP reset would make it lose the response.
_DRAINED = 1 << 24
_GLANCE = 0.02  # seconds between a client's timeout and the last check whether it has sent something
_LINGER = 2.0  # seconds that a client has to receive the last response, while what it sends is discarded
_PROGRESS = 4096  # bytes that a client must receive within `patience` seconds


class _State(Enum):
    HANDSHAKE = 1
    IDLE = 2
    BUSY = 3
    LEAVING = 4


class TcpConnection(Channel):
    """The protocol of one client, created by the event loop.

    Arguments:
        worker: the worker that accepted it.
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

    # Callbacks of the channel.

    def connected(self) -> None:
        """Start the deadline of the handshake."""
        self._worker.connections.add(self)
        self._set_timer(self._worker.handshake_timeout, self._late)

    def opened(self, tls: ssl.SSLObject) -> None:
        """Start the protocol that was negotiated by ALPN (RFC 7301)."""
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
        """Give the client a moment to read why."""
        self._set_timer(_LINGER, self.abort)

    def received(self, data: bytes) -> None:
        """Queue ``data`` for the protocol."""
        self._inbox.extend(data[at : at + _AT_ONCE] for at in range(0, len(data), _AT_ONCE))
        self._waiting += len(data)
        if self._waiting > _READ_AHEAD:
            self.pause_reading()
        self._arrived.set()

    def half_closed(self) -> None:
        """The client will send no more; it may still read its response."""
        self._arrived.set()

    def lost(self) -> None:
        """Tell what still runs for this connection that it is closed."""
        self._cancel_timer()
        self._worker.connections.discard(self)
        self._writable.set()
        self._arrived.set()
        if self._state is not _State.HANDSHAKE:
            self._tasks.spawn(self._let_go)
        self._state = _State.LEAVING

    def pause_writing(self) -> None:
        """The write buffer is full."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The write buffer has room again."""
        self._writable.set()

    # Called by the worker.

    def stop(self) -> None:
        """The worker stops: close the connection once a request that may be on its way has been handled."""
        if self._state is _State.IDLE:
            self._await_last_word()
        elif self._state is _State.HANDSHAKE:
            self._set_timer(self._worker.last_word, self._leave)

    def refuse(self) -> None:
        """Accept no more requests; those in flight are completed."""
        if self._state is _State.BUSY and isinstance(self._protocol, Http2):
            self._protocol.refuse()

    # Internal.

    async def _serve(self) -> None:
        """Pass received data to the protocol, in order."""
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
            # A response in progress is still sent; an incomplete request will never be complete.
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
        """Wait for a request that may be on its way, then close.

        HTTP/2 closes at once: GOAWAY tells the client which requests were not processed, so it can retry them elsewhere
        (RFC 9113, section 6.8). An HTTP/1.1 client cannot know (RFC 9112, section 9.6).
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
        """Close unless data has arrived in time that was not read yet: uvloop runs timers before it reads sockets."""
        if self._inbox:
            self._set_timer(_GLANCE, self._leave_the_silent)
        else:
            self._leave()

    def _leave(self) -> None:
        """Close after a lingering period, in which input is discarded, so that the client can read its response."""
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

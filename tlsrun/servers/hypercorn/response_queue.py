"""A response on its way from the application's thread, which generates it, to the event loop, which sends it.

The thread does not wait for a slow client: unsent data is buffered in memory, then in an unnamed temporary file. The
thread waits only when the limit of one response, or of all responses together, is reached.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from tlsrun.connections.presence import ClientGone as ClientGone
from tlsrun.servers.hypercorn.deadlines import Deadlines
from tlsrun.servers.store import SharedQuota, SpillBuffer

_log = logging.getLogger("tlsrun.hypercorn")

#: Maximum number of bytes passed to the event loop at once.
PIECE = 65536
_MOST = 1 << 24  # buffered bytes above which the thread waits
#: Above _AHEAD buffered bytes, the thread gives a fast client a moment to catch up: up to _GRACE seconds per response,
#: and at most _STALL seconds without progress. Cheaper than buffering more while both threads compete for the GIL.
_AHEAD, _GRACE, _STALL = 1 << 20, 0.1, 0.02


class ResponseQueue:
    """One response.

    Arguments:
        send: passes an event of the response to Hypercorn's stream; None after the last one.
        scope: the ASGI scope of the request, for the log.
        stock: the quota that it shares with other responses.
        deadlines: how long a client may receive nothing.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        send: Callable[[Any], Awaitable[None]],
        scope: Any,
        *,
        stock: SharedQuota,
        deadlines: Deadlines,
    ) -> None:
        self._loop = loop
        self._send = send
        self._scope = scope
        self._stock = stock
        self._deadlines = deadlines
        self._changed = threading.Condition()
        self._head: Any = None
        self._first = b""  # sent next, before what is in the store
        self._store: SpillBuffer | None = None
        self._ended = self._cut = self._closed = False
        self._sending = False  # a task is sending, or about to start
        self._taken = 0  # bytes removed from the store so far
        self._task: asyncio.Task[None] | None = None
        self._timed_out = False
        self._grace = _GRACE

    # Called in the application's thread.

    def begin(self, head: Any) -> None:
        """Set the head, which is sent with the first part."""
        self._head = head

    def put(self, data: bytes, *, more: bool) -> None:
        """Queue ``data`` for sending; waits if too much is buffered.

        Arguments:
            data: at most `PIECE` bytes.
            more: whether this is not the last part.

        Raises:
            ClientGone: the client has disconnected, or received nothing for too long.
        """
        with self._changed:
            if self._closed:
                raise ClientGone
            self._keep(data)
            self._ended = not more
            waits = more and self._holds_more_than(_AHEAD)
            wakes, self._sending = not self._sending, True
        if wakes:
            self._wake()
        if waits:
            self._until_taken()

    def cut(self) -> None:
        """Abort the response if it is incomplete, so that the client notices."""
        with self._changed:
            if self._ended or self._closed:
                return
            self._ended = self._cut = True
            wakes, self._sending = not self._sending, True
        if wakes:
            self._wake()

    def _keep(self, data: bytes) -> None:
        if not self._first and self._store is None:
            self._first = data
        elif data:
            if self._store is None:
                self._store = SpillBuffer(self._stock, _MOST)
            self._store.keep(data)

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._begin_sending)
        except RuntimeError:  # the loop has ended
            raise ClientGone from None

    def _holds_more_than(self, size: int) -> bool:
        return self._store is not None and (self._store.held > size or self._store.full)

    def _until_taken(self) -> None:
        """Wait a moment for a fast client; if the limit is reached, as long as the client makes progress."""
        with self._changed:
            while self._grace > 0 and self._holds_more_than(_AHEAD // 2):
                before = time.monotonic()
                took = self._changed.wait(min(_STALL, self._grace))
                self._grace = self._grace - (time.monotonic() - before) if took else 0.0
            most = _MOST
            while self._holds_more_than(most):
                most = _MOST // 2
                taken = self._taken
                if not self._changed.wait(self._deadlines.patience) and self._taken == taken:
                    raise ClientGone
            if self._closed:
                raise ClientGone

    # Called in the event loop.

    def close(self) -> None:
        """Discard the rest; nothing more will be sent."""
        with self._changed:
            self._closed = True
            self._first = b""
            if self._store is not None:
                self._store.clear()
                self._store = None
            self._changed.notify()

    def late(self) -> None:
        """The client received nothing of this response for too long; over HTTP/2 and HTTP/3 others may go on."""
        if self._task is not None:
            self._timed_out = True
            self._task.cancel()

    def _begin_sending(self) -> None:
        self._task = self._loop.create_task(self._send_what_is_there())

    async def _send_what_is_there(self) -> None:
        try:
            while (found := self._next()) is not None:
                await self._send_part(*found)
        except asyncio.CancelledError:
            if not self._timed_out:
                raise
            await self._give_up()
        except Exception as error:
            if not (self._closed and isinstance(error, ConnectionError)):
                _log.exception("%s %s failed", self._scope["method"], self._scope["path"])
            await self._give_up()
        finally:
            self._deadlines.forget(self)

    def _next(self) -> tuple[bytes, bool] | None:
        """Return the bytes to send now and whether the response ends with them; None if there is nothing to send."""
        with self._changed:
            data, self._first = self._first, b""
            if not data and self._store is not None:
                data = self._store.take(PIECE)
                self._taken += len(data)
                if not self._store.held:
                    self._store = None
                self._changed.notify()
            end = self._ended and self._store is None
            self._sending = not self._closed and (bool(data) or end)
            return (data, end) if self._sending else None

    async def _send_part(self, data: bytes, end: bool) -> None:
        self._deadlines.expect(self)
        if (head := self._head) is not None:
            self._head = None
            await self._send(head)
        if data or not self._cut:
            await self._send({"type": "http.response.body", "body": data, "more_body": not end or self._cut})
            self._deadlines.expect(self)
        if end and self._cut:
            await self._send(None)
        if end:
            self.close()

    async def _give_up(self) -> None:
        self.close()
        try:
            await self._send(None)
        except Exception:  # nobody awaits this task
            _log.exception("an answer could not be ended")

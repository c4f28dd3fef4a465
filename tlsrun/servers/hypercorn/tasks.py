"""The asyncio tasks of one connection, as the task group that Hypercorn's streams use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from tlsrun.servers.hypercorn.dispatcher import RequestDispatcher
from tlsrun.servers.hypercorn.threads import Send

_log = logging.getLogger("tlsrun.hypercorn")


class Tasks:
    """The tasks that run for one connection and end with it.

    Arguments:
        dispatcher: handles requests.
        failed: called when a task fails, to abort the connection.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, dispatcher: RequestDispatcher, failed: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._dispatcher = dispatcher
        self._failed = failed
        self._tasks: set[asyncio.Task[Any]] = set()
        #: For the next request; see `tlsrun.servers.hypercorn.dispatcher.RequestDispatcher.begin`.
        self.consumed: Callable[[int], None] | None = None

    def spawn(self, function: Callable[..., Awaitable[Any]], *arguments: Any) -> None:
        """Run ``function`` as a task."""
        task = asyncio.ensure_future(function(*arguments), loop=self._loop)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def spawn_app(self, app: Any, config: Any, scope: Any, send: Send) -> Callable[[Any], Awaitable[None]]:
        """Start handling a request; returns the function that receives its events."""
        if scope["type"] != "http":  # WebSocket, which WSGI does not support
            await send({"type": "websocket.close", "code": 1000, "reason": ""})
            return _nothing
        return self._dispatcher.begin(scope, send, self.consumed).put

    def cancel(self) -> None:
        """Cancel all tasks."""
        for task in list(self._tasks):
            task.cancel()

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a connection failed", exc_info=error)
            self._failed()


async def _nothing(event: Any) -> None:
    """Ignore the events of a rejected request."""

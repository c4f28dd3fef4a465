"""``threads=1``: the application runs in a single thread, which does not block on slow clients.

Granian's threads queue requests for it; a request with a body is queued once its body is buffered. A response sent in
several parts is written by another thread. So a slow client delays nobody, while an application that is not
thread-safe still sees one thread only, and its thread-bound objects (sqlite3 connections, ``threading.local``) work.
"""

from __future__ import annotations

import logging
import queue
import threading
from typing import Any

from tlsrun.servers.granian.buffered_body import BufferedBody
from tlsrun.servers.granian.client_threads import ClientThreads
from tlsrun.servers.granian.pool import Answer
from tlsrun.servers.granian.queued_response import ClientGone, QueuedResponse
from tlsrun.servers.store import SharedQuota
from tlsrun.servers.wsgi import Headers, Parts

_log = logging.getLogger("tlsrun.granian")

#: Limits for all buffered request bodies of a worker, and again for all its queued responses: bytes in memory, and
#: bytes in memory and temporary files together.
_MEMORY, _TOTAL = 1 << 25, 1 << 28


class SingleThread:
    """The application's thread of a worker, shared by all of its Granian runtimes.

    Arguments:
        client_threads: the threads that block on slow clients instead.
    """

    def __init__(self, client_threads: ClientThreads) -> None:
        self._tasks: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._bodies, self._answers = SharedQuota(_MEMORY, _TOTAL), SharedQuota(_MEMORY, _TOTAL)
        self._client_threads = client_threads
        self._started = False

    def start(self) -> None:
        """Start the thread, once; in the worker, because threads do not survive a fork."""
        if not self._started:
            self._started = True
            threading.Thread(target=self._serve, name="granian-request", daemon=True).start()

    def queueing(self, answer: Answer) -> Answer:
        """Wrap ``answer`` for requests without a body: it is queued for the application's thread."""
        put = self._tasks.put

        def queued(protocol: Any, scope: dict[str, Any]) -> int:
            put((answer, protocol, scope, None))
            return 0

        return queued

    def queueing_with_body(self, answer: Answer) -> Answer:
        """Wrap ``answer`` for requests with a body: it is buffered first, in the calling thread, which may block."""

        def queued(protocol: Any, scope: dict[str, Any]) -> int:
            body = BufferedBody(scope["wsgi.input"], self._bodies)
            body.fill()
            self._tasks.put((answer, protocol, scope | {"wsgi.input": body}, body))
            return 0

        return queued

    def _serve(self) -> None:
        while True:
            self._do(*self._tasks.get())

    def _do(self, answer: Answer, protocol: Any, scope: dict[str, Any], body: BufferedBody | None) -> None:
        try:
            answer(_QueuedProtocol(protocol, self._client_threads, self._answers), scope)
        except BaseException:  # a sys.exit() in a view, too, ends only its own request
            _log.exception("%s %s failed", scope["REQUEST_METHOD"], scope["PATH_INFO"])
            protocol.response_bytes(500, [], b"")
        finally:
            if body is not None:
                body.close()


class _QueuedProtocol:
    """Granian's protocol object of one request, with sending that does not block the application's thread."""

    __slots__ = ("_client_threads", "_protocol", "_stock")

    def __init__(self, protocol: Any, client_threads: ClientThreads, stock: SharedQuota) -> None:
        self._protocol = protocol
        self._client_threads = client_threads
        self._stock = stock

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a complete response; Granian buffers it and returns at once."""
        self._protocol.response_bytes(status, headers, body)

    def response_iter(self, status: int, headers: Headers, body: Parts) -> None:
        """Send a response in parts, from a client thread, and close ``body`` at the end."""
        parts, protocol = QueuedResponse(self._stock), self._protocol

        def send() -> None:
            try:
                protocol.response_iter(status, headers, parts)
            except BaseException:  # Granian rejected the headers
                _log.exception("an answer could not be sent")
                protocol.response_bytes(500, [], b"")
                parts.close()

        if not self._client_threads.try_run(send):
            protocol.response_iter(status, headers, body)
            return
        try:
            while True:
                parts.put(next(body))
        except (StopIteration, ClientGone):
            parts.end()
        except BaseException as error:  # noqa: BLE001 -- raised again in Granian, which logs it
            parts.end(error)
        finally:
            body.close()

"""``threads=1``: the application runs in one thread, and that thread waits for no client.

Granian has others, which bring it the requests: those with a body when it is there. What is sent in several parts is
taken over by yet another one. So whoever is slow keeps nobody waiting, and still an application that is not made for
threads sees but one; what is bound to a thread (sqlite3's connections, ``threading.local``) it finds again.
"""

from __future__ import annotations

import logging
import queue
import threading
from typing import Any

from tlsrun.servers.granian.buffered_body import BufferedBody
from tlsrun.servers.granian.client_threads import ClientThreads
from tlsrun.servers.granian.pool import Answer
from tlsrun.servers.granian.response_queue import ClientGone, ResponseQueue
from tlsrun.servers.store import SharedQuota
from tlsrun.servers.wsgi import Headers, Parts

_log = logging.getLogger("tlsrun.granian")

#: Bytes of all bodies of a worker, and as many of all answers, that wait at once: in memory, and with those in files.
_MEMORY, _TOTAL = 1 << 25, 1 << 28


class SingleThread:
    """The application's thread of a worker, for all of Granian's runtimes there.

    Arguments:
        client_threads: the threads that wait in its place.
    """

    def __init__(self, client_threads: ClientThreads) -> None:
        self._tasks: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._bodies, self._answers = SharedQuota(_MEMORY, _TOTAL), SharedQuota(_MEMORY, _TOTAL)
        self._client_threads = client_threads
        self._started = False

    def start(self) -> None:
        """In the worker: a thread is not in a fork."""
        if not self._started:
            self._started = True
            threading.Thread(target=self._serve, name="granian-request", daemon=True).start()

    def queueing(self, answer: Answer) -> Answer:
        """What is called for a request without a body: it has ``answer`` called in the application's thread."""
        put = self._tasks.put

        def queued(protocol: Any, scope: dict[str, Any]) -> int:
            put((answer, protocol, scope, None))
            return 0

        return queued

    def queueing_with_body(self, answer: Answer) -> Answer:
        """What is called for a request with one, in a thread that may wait for it."""

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
        except BaseException:  # also sys.exit() in a view ends its request alone
            _log.exception("%s %s failed", scope["REQUEST_METHOD"], scope["PATH_INFO"])
            protocol.response_bytes(500, [], b"")
        finally:
            if body is not None:
                body.close()


class _QueuedProtocol:
    """Granian's side of one request, for which the application's thread does not wait."""

    __slots__ = ("_client_threads", "_protocol", "_stock")

    def __init__(self, protocol: Any, client_threads: ClientThreads, stock: SharedQuota) -> None:
        self._protocol = protocol
        self._client_threads = client_threads
        self._stock = stock

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Send an answer that is there as a whole: Granian takes it, and waits for nobody."""
        self._protocol.response_bytes(status, headers, body)

    def response_iter(self, status: int, headers: Headers, body: Parts) -> None:
        """Send an answer part by part, and close ``body`` in the end."""
        parts, protocol = ResponseQueue(self._stock), self._protocol

        def send() -> None:
            try:
                protocol.response_iter(status, headers, parts)
            except BaseException:  # Granian cannot send these headers
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
        except BaseException as error:  # noqa: BLE001 -- Granian writes it down, where it hears of it
            parts.end(error)
        finally:
            body.close()

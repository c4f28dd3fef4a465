"""Passes the requests of a worker's connections to its threads, with what is known about the connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tlsrun.servers.hypercorn.announcing import Announcement
from tlsrun.servers.hypercorn.environ import variables
from tlsrun.servers.hypercorn.exchange import Exchange
from tlsrun.servers.hypercorn.threads import Send, Threads


class RequestDispatcher:
    """One per worker.

    Arguments:
        threads: answer the requests.
        announcement: what clients are told of HTTP/3.
    """

    def __init__(self, threads: Threads, announcement: Announcement) -> None:
        self._threads = threads
        self._announcement = announcement

    def begin(self, scope: Any, send: Send, consumed: Callable[[int], None] | None) -> Exchange:
        """Have a request answered.

        Arguments:
            scope: Hypercorn's description of it; its state holds the `Line` that it came over.
            consumed: told, in the loop, how many bytes of the body were taken; None where the client is to wait
                while its body waits.
        """
        line = scope["state"]["line"]
        environ = variables(scope, line)
        environ["tlsrun.socket"] = line.tls
        alt_svc = self._announcement.to(line, environ.get("HTTP_HOST", ""))
        return self._threads.begin(scope, environ, send, consumed=consumed, alt_svc=alt_svc)

    def close(self) -> None:
        """Let the threads end that have nothing to do."""
        self._threads.close()

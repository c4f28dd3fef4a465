"""Passes the requests of a worker's connections to its threads, with the facts about the connection."""

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
        threads: the threads that run the application.
        announcement: the Alt-Svc header.
    """

    def __init__(self, threads: Threads, announcement: Announcement) -> None:
        self._threads = threads
        self._announcement = announcement

    def begin(self, scope: Any, send: Send, consumed: Callable[[int], None] | None) -> Exchange:
        """Start handling a request.

        Arguments:
            scope: Hypercorn's ASGI scope of the request; its state contains the `Line`.
            consumed: called in the loop with the number of body bytes that the application has read, to extend the
                client's flow control window; None to stop reading from the client instead.
        """
        line = scope["state"]["line"]
        environ = variables(scope, line)
        environ["tlsrun.socket"] = line.tls
        alt_svc = self._announcement.to(line, environ.get("HTTP_HOST", ""))
        return self._threads.begin(scope, environ, send, consumed=consumed, alt_svc=alt_svc)

    def close(self) -> None:
        """Let idle threads end."""
        self._threads.close()

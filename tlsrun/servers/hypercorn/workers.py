"""Hypercorn as a forking server, for the supervisor."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable

from tlsrun.forking.server import ForkingServer, ReloadState
from tlsrun.listening.opening import Listening
from tlsrun.servers.hypercorn.site import HypercornWorkerConfig
from tlsrun.servers.hypercorn.worker import run

#: Processes per worker at a time: it and its predecessor or successor. Each has a seat in the `DatagramForwarder`.
SEATS = 2
_MERCY = 5.0  # seconds that a worker has to exit after graceful_timeout, before it is killed


class Hypercorn(ForkingServer):
    """Serves ``site``; see `tlsrun.forking.server.ForkingServer`.

    Arguments:
        listening: the listening sockets; None if only HTTP/3 is served.
        redirect: the sockets of the redirect port.
        words: the URLs it serves, for the log.
    """

    name = "hypercorn"
    log = logging.getLogger("tlsrun.hypercorn")
    slots = SEATS

    def __init__(
        self,
        site: HypercornWorkerConfig,
        *,
        listening: Listening | None,
        redirect: tuple[socket.socket, ...],
        words: str,
    ) -> None:
        self._site = site
        self._listening = listening
        self._redirect = redirect
        self._words = words
        self.workers = site.workers
        self.grace = self.patience = site.config.graceful_timeout + _MERCY

    def run(self, slot: int, link: socket.socket) -> None:
        """Be the worker in ``slot``."""
        run(self._site, slot, link)

    def sockets(self) -> Iterable[socket.socket]:
        """See `ForkingServer.sockets`."""
        return (*self._site.listeners, *self._site.datagrams, *self._redirect)

    def handed(self) -> ReloadState:
        """The sockets for forwarded datagrams, so that workers of the old program still get theirs."""
        post = self._site.post
        return ReloadState() if post is None else ReloadState(state={"post": post.state}, lent=post.descriptors)

    def serving(self) -> None:
        """Log the URLs."""
        self.log.info("serving on %s", self._words)

    def read_certificates(self) -> None:
        """Reload the certificates, for workers forked from now on."""
        self._site.certificates.reload()

    def leave(self) -> None:
        """See `ForkingServer.leave`."""
        if self._listening is not None:
            self._listening.close()

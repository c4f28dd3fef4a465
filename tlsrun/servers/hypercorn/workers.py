"""What Hypercorn's workers do, and what its supervisor does besides."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable

from tlsrun.forking.server import ForkingServer, ReloadState
from tlsrun.listening.opening import Listening
from tlsrun.servers.hypercorn.site import HypercornWorkerConfig
from tlsrun.servers.hypercorn.worker import run

#: Processes that may be one worker at a time: it, and the one after or before it. Each has a post box (`post.py`).
SEATS = 2
_MERCY = 5.0  # seconds that a worker has beyond its requests' grace


class Hypercorn(ForkingServer):
    """Serves ``site``; see `tlsrun.forking.server.ForkingServer`.

    Arguments:
        listening: the listening sockets; None when HTTP/3 alone is spoken.
        redirect: those of the redirect port.
        words: where it serves, for the log.
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
        """The workers' post, over which those of before are still written to."""
        post = self._site.post
        return ReloadState() if post is None else ReloadState(state={"post": post.state}, lent=post.descriptors)

    def serving(self) -> None:
        """Say so."""
        self.log.info("serving on %s", self._words)

    def read_certificates(self) -> None:
        """For the workers to come."""
        self._site.certificates.reload()

    def leave(self) -> None:
        """See `ForkingServer.leave`."""
        if self._listening is not None:
            self._listening.close()

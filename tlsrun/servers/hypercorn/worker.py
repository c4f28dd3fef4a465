"""A worker process: an event loop that serves the shared sockets, from the fork to the exit.

When told to stop, or that a successor serves in its place, it stops accepting and drains its connections: requests that
are on their way are still answered, with ``Connection: close`` or GOAWAY::

    SERVING ──► STOPPING (no new connections; open ones have graceful_timeout) ──► exit
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import signal
import socket
from typing import TYPE_CHECKING, Any

from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config

from tlsrun.account import become
from tlsrun.edge.accepted import close_all
from tlsrun.forking.worker import HELD, LEAVE, READY, REPLACE
from tlsrun.listening.serving import serve
from tlsrun.servers.hypercorn.connection import TcpConnection
from tlsrun.servers.hypercorn.dispatcher import RequestDispatcher
from tlsrun.servers.hypercorn.site import HypercornWorkerConfig
from tlsrun.servers.hypercorn.threads import PATIENCE, Threads

if TYPE_CHECKING:
    from tlsrun.servers.hypercorn.datagram_forwarder import DatagramForwarder

_log = logging.getLogger("tlsrun.hypercorn")

_STOPS = (signal.SIGTERM, signal.SIGINT)

_HEAD_TIMEOUT = 10.0  # seconds for the first request's head, after the handshake
#: Seconds that a client has for one more request when the worker stops: its connection may be new, or idle with the
#: next request on its way.
_LAST_WORD = 1.0
_BURST = 16  # connections that asyncio accepts before it handles other events


class Worker:
    """What the connections of one process share; see `tlsrun.servers.hypercorn.serving.Serving` for the attributes."""

    def __init__(self, site: HypercornWorkerConfig, seat: int, link: socket.socket) -> None:
        self._site = site
        self._link = link
        self._seat = seat
        self._endpoint: Any = None
        self.loop = asyncio.get_running_loop()
        self.config = site.config
        self.context = site.certificates.context
        self.handshake_timeout = site.handshake_timeout
        self.head_timeout = _HEAD_TIMEOUT
        self.last_word = _LAST_WORD
        self.patience = PATIENCE
        self.speaks_http1 = site.speaks_http1
        self.udp_address = site.address
        self.hypercorn = WorkerContext(_most_requests(site.config))
        self.stopping = self._relieved = False
        self._refusing = 0.0  # loop time from which no more requests are accepted
        self.connections: set[TcpConnection] = set()
        self._stop = asyncio.Event()
        threads = Threads(
            site.application,
            threads=site.threads,
            multiprocess=site.workers > 1,
            software=site.software,
            prefix=site.config.root_path,
            broken=site.broken,
        )
        self.dispatcher = RequestDispatcher(threads, site.announcement)

    async def run(self) -> None:
        """Serve until told to stop by a signal, by the supervisor, or because the supervisor has died."""
        for number in _STOPS:
            self.loop.add_signal_handler(number, self._end)
        self.loop.add_signal_handler(signal.SIGHUP, self._reload)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
        self._link.setblocking(False)
        self.loop.add_reader(self._link, self._hear)
        renewing = None
        # Before it serves: a worker forked later must read the current certificates.
        self._site.background.start()
        servers = [
            await serve(self.loop, lambda: TcpConnection(self), sock, backlog=_BURST) for sock in self._site.listeners
        ]
        if self._site.post is not None:
            renewing = self._serve_datagrams(self._site.post)
        self._link.send(READY)
        enough = self.loop.create_task(self.hypercorn.terminate.wait())
        enough.add_done_callback(self._ask_for_another)
        await self._stop.wait()
        await close_all(servers)
        if self._endpoint is not None and self._relieved:
            self._endpoint.stop_reading()
        self._site.background.stop()
        await self._finish()
        for task in (enough, renewing):
            if task is not None:
                task.cancel()
        self.dispatcher.close()

    def _serve_datagrams(self, post: DatagramForwarder) -> asyncio.Task[None]:
        # Imported here: aioquic need not be installed without HTTP/3.
        from tlsrun.servers.hypercorn import quic, quic_tls

        identity, _ = self._site.certificates.current()
        configuration = quic_tls.configuration_of(identity, idle_timeout=max(self.config.keep_alive_timeout, PATIENCE))
        sock = self._site.datagrams[self._seat % self._site.workers]
        self._endpoint = quic.QuicEndpoint(self, sock, configuration, post, post.first + self._seat)

        async def renew() -> None:
            served = identity
            while True:
                await asyncio.sleep(1)
                found, _ = self._site.certificates.current()
                if found is not served:
                    quic_tls.renew(configuration, found)
                    served = found

        return self.loop.create_task(renew())

    def _reload(self) -> None:
        self.loop.run_in_executor(None, self._site.background.reload)

    def _ask_for_another(self, enough: asyncio.Task[None]) -> None:
        if not enough.cancelled():
            with contextlib.suppress(OSError):  # the supervisor has died
                self._link.send(REPLACE)

    def _hear(self) -> None:
        """Handle a message from the supervisor; an empty one means that it has died."""
        word = b""
        with contextlib.suppress(ConnectionError):
            word = self._link.recv(1)
        if word == LEAVE:
            # A successor serves already, so connections may stay idle as long as usual.
            self._relieved = True
            self.last_word = max(_LAST_WORD, min(self.config.keep_alive_timeout, self.config.graceful_timeout))
            self._stop.set()
        elif not word:
            self.loop.remove_reader(self._link)
            self._end()

    def _end(self) -> None:
        self.last_word = _LAST_WORD
        self._stop.set()
        if self.stopping:  # it was draining, and now has to hurry
            self._bid_farewell()

    def _bid_farewell(self) -> None:
        self._refusing = self.loop.time() + self.last_word
        for client in list(self.connections):
            client.stop()

    async def _finish(self) -> None:
        """Let requests finish; abort those that exceed graceful_timeout."""
        self.stopping = True
        await self.hypercorn.terminated.set()
        self._bid_farewell()
        end = self.loop.time() + self.config.graceful_timeout
        while self._busy() and self.loop.time() < end:
            await asyncio.sleep(0.02)
            self._see_off()
        if self._busy():
            _log.warning("requests were cut off after %g s", self.config.graceful_timeout)
        for client in list(self.connections):
            client.abort()
        if self._endpoint is not None:
            self._endpoint.close()
        await asyncio.sleep(0.02)

    def _busy(self) -> bool:
        return bool(self.connections) or (self._endpoint is not None and self._endpoint.busy)

    def _see_off(self) -> None:
        """Close idle HTTP/3 connections; once the time for one more request is over, let no client start another."""
        late = self.loop.time() >= self._refusing
        if self._endpoint is not None:
            self._endpoint.see_off(late=late)
        if late:
            for client in list(self.connections):
                client.refuse()


def _most_requests(config: Config) -> int | None:
    if config.max_requests is None:
        return None
    return config.max_requests + random.randint(0, config.max_requests_jitter)  # noqa: S311 -- not a secret


def run(site: HypercornWorkerConfig, seat: int, link: socket.socket) -> None:
    """Run the worker in ``seat``, in a forked process. Never returns.

    Arguments:
        seat: the worker's number (from 0); plus ``workers`` if the worker it replaces still runs in that seat.
        link: socket to the supervisor; when it closes, the worker stops.
    """
    status, number = 1, seat % site.workers
    try:
        if site.account is not None:
            become(site.account)
        _serve(site, seat, link)
        status = 0
    except BaseException:  # noqa: BLE001 -- nothing may propagate into the supervisor's code
        _log.exception("worker %d failed", number + 1)
    finally:
        logging.shutdown()
        # Not sys.exit(), which would wait for threads that may be stuck in a request.
        os._exit(status)


def _serve(site: HypercornWorkerConfig, seat: int, link: socket.socket) -> None:
    loop = _new_loop(site)
    asyncio.set_event_loop(loop)
    loop.set_exception_handler(_report)

    async def main() -> None:
        await Worker(site, seat, link).run()

    loop.run_until_complete(main())


def _new_loop(site: HypercornWorkerConfig) -> asyncio.AbstractEventLoop:
    if not site.uvloop:
        return asyncio.new_event_loop()
    import uvloop

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an uncaught exception once; other connections go on."""
    with contextlib.suppress(Exception):
        _log.error("%s", context.get("message") or "an error in the event loop", exc_info=context.get("exception"))

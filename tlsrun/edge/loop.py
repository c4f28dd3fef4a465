"""Entry point: runs an edge on an event loop of its own, with signal handlers."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tlsrun.edge.access import write_line
from tlsrun.edge.limits import EdgeLimits
from tlsrun.edge.server import Edge
from tlsrun.edge.shared import Shared
from tlsrun.optional import is_installed
from tlsrun.proxies.peers import NOBODY, Peers

_log = logging.getLogger("tlsrun.edge")

#: uWSGI ends a mule with SIGINT, reloads it with SIGHUP or SIGTERM.
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)

#: Errors of the system, not ours; asyncio retries accepting after a second.
_SHORTAGES = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


def no_facts(tls: ssl.SSLObject) -> Mapping[str, str]:
    """The default of `serve`: no variables but HTTPS=on."""
    return {}


def serve(
    listeners: Sequence[socket.socket],
    context: ssl.SSLContext,
    *,
    upstream: str,
    limits: EdgeLimits | None = None,
    handshake_timeout: float = 10.0,
    server_name: str | None = None,
    facts: Callable[[ssl.SSLObject], Mapping[str, str]] = no_facts,
    trusted: Peers = NOBODY,
    access_log: bool = False,
    on_given_up: Callable[[], None] = lambda: None,
    on_ready: Callable[[Edge], None] | None = None,
) -> None:
    """Serve HTTPS on ``listeners`` from the uwsgi workers at ``upstream``, until told to stop.

    Returns after SIGTERM, SIGINT, SIGQUIT, SIGHUP or `Edge.stop`, when the requests in flight are finished or the
    grace of the limits is over. The listening sockets are closed in this process then. Runs on uvloop when that is
    installed. In the main thread it takes over those signals while it runs.

    Arguments:
        listeners: listening sockets.
        context: for the server's side; it picks its certificates itself (``sni_callback``). A `ServerContext` also
            tells for which hosts plain HTTP is redirected, and which proxies send a PROXY header.
        upstream: path of the workers' Unix socket (uWSGI's ``socket``; ``buffer-size`` of 65535 fits the limits).
        limits: timeouts and sizes.
        handshake_timeout: seconds that a client has for the whole handshake.
        server_name: SERVER_NAME; None for the address that the client connected to.
        facts: returns the variables for a finished handshake; called once per connection.
        trusted: proxies whose forwarded headers are passed on; they are removed from anybody else.
        access_log: one line for each request on the logger ``tlsrun.edge.access``.
        on_given_up: called before a request is abandoned that a worker has been given.
        on_ready: called in the loop once connections are accepted.
    """
    loop = _new_loop()
    try:
        asyncio.set_event_loop(loop)
        loop.set_exception_handler(_report)
        shared = Shared(
            loop,
            context,
            upstream=upstream,
            limits=limits or EdgeLimits(),
            handshake_timeout=handshake_timeout,
            server_name=server_name,
            facts=facts,
            trusted=trusted,
            access=write_line if access_log else None,
            given_up=on_given_up,
        )
        edge = Edge(loop, listeners, shared)
        with _signals(loop, edge.stop):
            loop.run_until_complete(edge.run(on_ready))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _new_loop() -> asyncio.AbstractEventLoop:
    if not is_installed("uvloop"):
        return asyncio.new_event_loop()
    import uvloop

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


@contextlib.contextmanager
def _signals(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> Iterator[None]:
    """Stop on a signal. Only the main thread can set handlers; in another one, use `Edge.stop`."""
    handled = []
    for number in _SIGNALS:
        with contextlib.suppress(RuntimeError, ValueError):
            loop.add_signal_handler(number, stop)
            handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an uncaught exception once; other connections go on."""
    error = context.get("exception")
    if isinstance(error, OSError) and error.errno in _SHORTAGES:
        _log.warning("%s: %s", context.get("message"), error.strerror)
        return
    _log.error("%s", context.get("message") or "an error in the event loop", exc_info=error)

"""A WSGI application for Hypercorn's own command, as an ASGI application: its own WSGI adapter is not used.

That one (0.18) answers HEAD, 204, 304 and every empty body with 500, joins the parts of a cookie with commas, takes
names with underscores for those with dashes, and holds each body whole in memory. Hypercorn tells an ASGI application
nothing of the TLS connection but that there is one.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

from tlsrun.servers.hypercorn.desk import unsendable
from tlsrun.servers.hypercorn.environ import Line, variables
from tlsrun.servers.hypercorn.exchange import ClientGone, Exchange
from tlsrun.servers.slots import Slots
from tlsrun.servers.wsgi import callback

_log = logging.getLogger("tlsrun.hypercorn")

Event: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]

_THREADS = 4
_PATIENCE = 60.0  # seconds in which a client has to send, or take, some more of a body


class Adapter:
    """An ASGI application (specification 3.0) that has the WSGI one answer, in threads of its own.

    Arguments:
        application: the WSGI callable.
        threads: how many requests are answered at once; None for the usual number.
    """

    def __init__(self, application: Callable[..., Any], *, threads: int | None) -> None:
        slots = Slots(threads or _THREADS)
        base = {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SCRIPT_NAME": "",
            "SERVER_SOFTWARE": f"hypercorn/{importlib.metadata.version('hypercorn')}",
            "wsgi.errors": sys.stderr,
            "wsgi.input_terminated": True,
            "wsgi.multiprocess": True,  # how many workers there are, it is not told
            "wsgi.multithread": slots.threads > 1,
            "wsgi.run_once": False,
            "wsgi.version": (1, 0),
        }
        self._answer = callback(application, base, slots, unsendable=unsendable, sends_at_once=False)
        self._pool = ThreadPoolExecutor(slots.threads, thread_name_prefix="hypercorn-request")

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answer a request; refuse a WebSocket, which WSGI has not."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: Event, receive: Receive, send: Send) -> None:
        over = asyncio.Event()

        async def sending(event: Event | None) -> None:
            if event is not None:
                await send(event)
            if event is None or event["type"] == "http.response.body" and not event["more_body"]:
                over.set()

        loop = asyncio.get_running_loop()
        exchange = Exchange(loop, sending, scope, patience=_PATIENCE, consumed=None)
        line = Line(tls=None, peer=scope["client"] or ("", 0), here=scope["server"] or ("localhost", 443))
        environ = variables(scope, line) | {"wsgi.url_scheme": scope["scheme"], "wsgi.input": exchange.inbox}
        feeding = loop.create_task(_feed(exchange, receive))
        self._pool.submit(self._run, exchange, environ)
        try:
            await over.wait()
        finally:
            feeding.cancel()

    def _run(self, exchange: Exchange, environ: dict[str, Any]) -> None:
        try:
            self._answer(exchange, environ)
        except ClientGone:
            pass
        except BaseException as error:  # noqa: BLE001 -- also sys.exit() in a view ends its request alone
            if not exchange.gone_with(error):
                _log.exception("%s %s failed", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            exchange.fail()
        finally:
            exchange.finish()


async def _feed(exchange: Exchange, receive: Receive) -> None:
    """Hand over what comes of the request, to its end or the client's."""
    while not exchange.gone:
        await exchange.put(await receive())

"""Wraps a WSGI application as an ASGI one for Hypercorn's own command, in place of Hypercorn's WSGI adapter.

That adapter (Hypercorn 0.18) responds 500 to HEAD, 204, 304 and every empty body, joins split Cookie headers with
commas, treats header names with underscores as if they had dashes, and holds each body in memory as a whole. Hypercorn
tells an ASGI application nothing about the TLS connection except that there is one.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from tlsrun.http1.head import TARGET, check_method
from tlsrun.http1.refusal import Refused, malformed
from tlsrun.servers.hypercorn.environ import Line, variables
from tlsrun.servers.hypercorn.exchange import Exchange
from tlsrun.servers.hypercorn.threads import Threads

Event: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]

_THREADS = 4


class Adapter:
    """An ASGI 3.0 application that runs a WSGI one in its own threads.

    Arguments:
        application: the WSGI callable.
        threads: how many requests run at once; None for the default.
    """

    def __init__(self, application: Callable[..., Any], *, threads: int | None) -> None:
        self._threads = Threads(
            application,
            threads=threads or _THREADS,
            multiprocess=True,  # Hypercorn does not say how many workers there are
            software=f"hypercorn/{importlib.metadata.version('hypercorn')}",
        )

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Handle a request; reject a WebSocket, which WSGI does not support."""
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

        line = Line(tls=None, peer=scope["client"] or ("", 0), here=scope["server"] or ("localhost", 443))
        try:
            check_method(scope["method"].encode("latin-1"))
            if TARGET.fullmatch(scope["raw_path"]) is None:
                raise malformed("a target with a fragment, or with bytes beyond ASCII")
            environ = variables(scope, line) | {"wsgi.url_scheme": scope["scheme"]}
        except Refused as refused:
            headers = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in refused.fields]
            await send({"type": "http.response.start", "status": refused.status, "headers": headers})
            await send({"type": "http.response.body", "body": refused.body, "more_body": False})
            return
        exchange = self._threads.begin(scope, environ, sending, consumed=None)
        feeding = asyncio.get_running_loop().create_task(_feed(exchange, receive))
        try:
            await over.wait()
        finally:
            feeding.cancel()


async def _feed(exchange: Exchange, receive: Receive) -> None:
    """Pass on the events of the request until the client disconnects."""
    while not exchange.gone:
        await exchange.put(await receive())

"""A WSGI application for Hypercorn's own command, as an ASGI application: its own WSGI adapter is not used.

That one (0.18) answers HEAD, 204, 304 and every empty body with 500, joins the parts of a cookie with commas, takes
names with underscores for those with dashes, and holds each body whole in memory. Hypercorn tells an ASGI application
nothing of the TLS connection but that there is one.
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
    """An ASGI application (specification 3.0) that has the WSGI one answer, in threads of its own.

    Arguments:
        application: the WSGI callable.
        threads: how many requests are answered at once; None for the usual number.
    """

    def __init__(self, application: Callable[..., Any], *, threads: int | None) -> None:
        self._threads = Threads(
            application,
            threads=threads or _THREADS,
            multiprocess=True,  # how many workers there are, it is not told
            software=f"hypercorn/{importlib.metadata.version('hypercorn')}",
        )

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
    """Hand over what comes of the request, to its end or the client's."""
    while not exchange.gone:
        await exchange.put(await receive())

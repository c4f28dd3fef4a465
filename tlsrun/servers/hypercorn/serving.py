"""The interface of a worker for its connections."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config

from tlsrun.servers.hypercorn.dispatcher import RequestDispatcher


class Serving(Protocol):
    """What the connections use of a `tlsrun.servers.hypercorn.worker.Worker`.

    Attributes:
        loop: its event loop.
        config, hypercorn: Hypercorn's settings, and its worker context, which says whether the worker terminates.
        context: the SSLContext of TLS over TCP.
        dispatcher: handles requests.
        connections: the open TCP connections.
        stopping: whether the worker has stopped accepting.
        speaks_http1: whether HTTP/1.1 is enabled.
        udp_address: host and port of HTTP/3.
        handshake_timeout, head_timeout: seconds for the handshake, and for the first request's head.
        last_word: seconds that clients have for one more request once the worker stops.
        patience: seconds within which a client must receive some more of a response.
    """

    loop: asyncio.AbstractEventLoop
    config: Config
    hypercorn: WorkerContext
    context: Any
    dispatcher: RequestDispatcher
    connections: set[Any]
    stopping: bool
    speaks_http1: bool
    udp_address: tuple[str, int]
    handshake_timeout: float
    head_timeout: float
    last_word: float
    patience: float

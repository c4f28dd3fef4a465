"""A worker as its connections see it."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config

from tlsrun.servers.hypercorn.dispatcher import RequestDispatcher


class Serving(Protocol):
    """What a `tlsrun.servers.hypercorn.worker.Worker` has for them.

    Attributes:
        loop: its event loop.
        config, hypercorn: Hypercorn's: its settings, and what its protocols ask whether the worker ends.
        context: of TLS over TCP.
        dispatcher: takes requests.
        connections: those over TCP that there are.
        stopping: no more clients are taken.
        speaks_http1: whether HTTP/1.1 is spoken.
        udp_address: where HTTP/3 is.
        handshake_timeout, head_timeout: seconds for the handshake, and for the first request's head.
        last_word: seconds that clients have for one more request, once it stops.
        patience: seconds in which a client has to take some more of an answer.
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

"""What the parts of a reactor have in common: where a connection is, what it waits for, and its bounds."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tlsrun.spool import Room


class PendingBody(Protocol):
    """The rest of a request's body, which is waited for before the request is handed over."""

    expects: bool
    """Whether the client waits to be told to send it."""

    def feed(self, data: bytes) -> bool:
        """More has come; whether nothing more is to be waited for."""


@dataclass(frozen=True, kw_only=True)
class ConnectionLimits:
    """How long and how much.

    Arguments:
        handshake_timeout: seconds for a whole handshake.
        head_timeout: seconds for a whole request head.
        patience: seconds a running request may wait for its client (see `RequestSocket`); None for ever.
        linger: seconds for a client to close after it was told goodbye.
        max_head: bytes of a request head; a longer one is handed over as it is, for the server to refuse.
        awaited: says, from a head and what came behind it, what of a body is to be waited for; None for nothing.
        max_body: bytes of a body that are waited for; the thread reads the others.
        max_answer: bytes of an answer that the loop sends when its client is slow; the thread waits for the others.
        room: bytes of all bodies, and as many of all answers, that wait at once.
    """

    handshake_timeout: float = 10.0
    head_timeout: float = 10.0
    patience: float | None = 30.0
    linger: float = 2.0
    max_head: int = 1 << 20
    awaited: Callable[[bytes], PendingBody | None] | None = None
    max_body: int = 1 << 23
    max_answer: int = 1 << 24
    room: int = 1 << 28


class State(enum.Enum):
    """Where a connection is."""

    OPENING = "before TLS"
    HANDSHAKE = "in the handshake"
    HEAD = "sending a request head"
    BODY = "sending the body of a request"
    IDLE = "kept alive"
    RUNNING = "handed over"
    ASKED = "handed over, and asked whether it still waits for its answer"
    FLUSHING = "taking the rest of an answer"
    CLOSING = "being seen off"


class Next(enum.Enum):
    """What a connection waits for."""

    READ = "something to read"
    WRITE = "room to write"
    NOTHING = "nothing: a whole head is there"
    END = "nothing: it is over"


class Loop(Protocol):
    """What moves connections on; see `tlsrun.connections.reactor.Reactor`. A connection is one of its own kind."""

    bodies: Room
    answers: Room

    def see_off(self, descriptor: int) -> None:
        """Wait for the client of a connection that was shut down to close it."""

    def flow(self, connection: Any, flows: bool) -> None:
        """Begin, or cease, to send what waits of an answer."""

    def leave(self, connection: Any) -> bool:
        """See the client off once nothing of its answer waits; False when nothing does now."""

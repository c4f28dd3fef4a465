"""Types shared by the parts of the reactor: the states of a connection, what it waits for, and its limits."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tlsrun.spool import Room


class PendingBody(Protocol):
    """The rest of a request's body, read before the request is handed over."""

    expects: bool
    """Whether the client waits for 100 (Continue) before sending it."""

    def feed(self, data: bytes) -> bool:
        """Take more bytes; returns True when the body is complete, or reading on is pointless."""


@dataclass(frozen=True, kw_only=True)
class ConnectionLimits:
    """Timeouts and sizes.

    Arguments:
        handshake_timeout: seconds for a whole handshake.
        head_timeout: seconds for a whole request head.
        patience: seconds a running request may wait for its client (see `RequestSocket`); None for no limit.
        linger: seconds of a lingering close.
        max_head: bytes of a request head; a longer one is handed over as it is, for the server to refuse.
        awaited: from a head and what followed it, the body to read ahead; None for none.
        max_body: bytes of a body that are read ahead; the request's thread reads the rest.
        max_answer: bytes of an answer buffered for a slow client; for the rest the request's thread waits.
        room: bytes of all buffered bodies, and as many of all buffered answers.
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
    """The state of a connection."""

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
    """The event loop that drives connections; see `tlsrun.connections.reactor.Reactor`."""

    bodies: Room
    answers: Room

    def see_off(self, descriptor: int) -> None:
        """Do the lingering close of a connection that was shut down."""

    def flow(self, connection: Any, flows: bool) -> None:
        """Start or stop sending from the output buffer."""

    def leave(self, connection: Any) -> bool:
        """Close the connection once its output buffer is empty; returns False if it is empty already."""

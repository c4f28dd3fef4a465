"""Limits of the edge: sizes, timeouts, number of connections."""

from __future__ import annotations

from dataclasses import dataclass, fields

from tlsrun.http1.limits import LIMITS, HeadLimits


@dataclass(frozen=True, kw_only=True)
class EdgeLimits:
    """Limits of the edge. Sizes are in bytes, times in seconds.

    Arguments:
        heads: limits of a request head.
        variables: one uwsgi packet, at most the workers' ``buffer-size``; a larger one is answered with 431.
        body: a request body, None for no limit; a larger one is answered with 413.
        spooled: a request body of known length up to here, and a chunked one of any length, is read whole before a
            worker is asked, so that a slow client holds no worker; a longer one is streamed.
        buffer: of such a body, or answer, held in memory; beyond, it goes to a temporary file without a name.
        answer: bytes of an answer that its client has not taken yet and that are kept for it, so that it holds no
            worker; beyond, the worker waits.
        answers: of all such answers together.
        pipelined: bytes of further requests read ahead while one is being answered.
        drained: bytes of an unwanted body that are discarded before the connection is closed.
        head_timeout: for a whole request head, from its first byte, or from the handshake for the first one.
        body_timeout: the stall deadline of a request body: `progress` bytes must arrive in each such span.
        idle_timeout: between two requests of one connection.
        connect_timeout: to find a worker's socket ready.
        answer_timeout: for a worker to say anything, and between two parts of its answer.
        write_timeout: the stall deadline of a response: a client must take `progress` bytes in each such span.
        linger_timeout: of a lingering close: for a client to take the last answer and close.
        grace: for requests in flight to finish after a stop.
        progress: bytes in a stall deadline below which a client counts as stalled.
        connections: the maximum; beyond it, the connection that has been idle longest is closed.
    """

    heads: HeadLimits = LIMITS
    variables: int = 65535
    body: int | None = None
    spooled: int = 8388608
    buffer: int = 131072
    answer: int = 16777216
    answers: int = 285212672
    pipelined: int = 65536
    drained: int = 16777216
    head_timeout: float = 10.0
    body_timeout: float = 60.0
    idle_timeout: float = 15.0
    connect_timeout: float = 5.0
    answer_timeout: float = 300.0
    write_timeout: float = 60.0
    linger_timeout: float = 2.0
    grace: float = 30.0
    progress: int = 4096
    connections: int = 4096

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "heads" or value is None:
                continue
            if value < 0 or value == 0 and field.name not in _MAY_BE_ZERO:
                raise ValueError(f"{field.name} must be above 0, not {value!r}")
        if self.variables > 65535:
            raise ValueError("variables: a uwsgi packet has at most 65535 bytes")

    @property
    def shortest(self) -> float:
        """The shortest of the timeouts."""
        return min(
            self.head_timeout, self.body_timeout, self.idle_timeout, self.connect_timeout, self.answer_timeout,
            self.write_timeout, self.linger_timeout or self.idle_timeout,
        )  # fmt: skip


_MAY_BE_ZERO = (
    "body", "spooled", "buffer", "answer", "answers", "pipelined", "drained", "linger_timeout", "grace", "progress",
)  # fmt: skip

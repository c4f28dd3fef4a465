"""What a worker that leaves owes the clients of kept connections: a word that its answer is the last one.

Granian, told to end, closes a kept connection of HTTP/1.1 at once, or with the answer that is under way, and tells its
client nothing of it: a request that is on its way by then is lost (hyper's graceful_shutdown, as of Granian 2.8). So a
worker that leaves says it with each answer (``Connection: close``; RFC 9112, section 9.6), and is told to end when
those that had begun before are out. Over HTTP/2 Granian tells them itself, by GOAWAY.
"""

from __future__ import annotations

from typing import Any

from tlsrun.servers.granian.pool import Answer
from tlsrun.servers.wsgi import Answering, Headers, Parts

_LAST = ("connection", "close")


class ConnectionClose:
    """The answers of one worker.

    Attributes:
        leaving: those that begin now are the last ones of their connections.
    """

    def __init__(self) -> None:
        self.leaving = False
        self._running: set[Any] = set()

    def around(self, answer: Answer) -> Answer:
        """What Granian is to call in place of ``answer``."""
        running = self._running

        def answered(protocol: Any, scope: dict[str, Any]) -> int:
            if not scope["SERVER_PROTOCOL"].startswith("HTTP/1"):
                return answer(protocol, scope)
            if self.leaving:
                return answer(_Last(protocol), scope)
            running.add(protocol)
            try:
                return answer(protocol, scope)
            finally:
                running.discard(protocol)

        return answered

    @property
    def is_due(self) -> bool:
        """Whether answers that began before are not out yet; their clients do not know."""
        return bool(self._running)


class _Last:
    """Granian's side of a request, the last one of its connection."""

    __slots__ = ("_protocol",)

    def __init__(self, protocol: Answering) -> None:
        self._protocol = protocol

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """As Granian's."""
        self._protocol.response_bytes(status, [*headers, _LAST], body)

    def response_iter(self, status: int, headers: Headers, body: Parts) -> None:
        """As Granian's."""
        self._protocol.response_iter(status, [*headers, _LAST], body)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._protocol, name)

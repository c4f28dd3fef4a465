"""``Connection: close`` on the responses of a worker that shuts down (RFC 9112, section 9.6).

Granian, when told to stop, closes idle keep-alive connections of HTTP/1.1 at once, and busy ones after the response in
progress, without telling the client: a request sent in the meantime is lost (hyper's graceful_shutdown, as of Granian
2.8). So a worker that shuts down first adds ``Connection: close`` to every response, and stops Granian only when the
responses begun before that are finished. Over HTTP/2 Granian sends GOAWAY itself.
"""

from __future__ import annotations

from typing import Any

from tlsrun.servers.granian.pool import Answer
from tlsrun.servers.wsgi import Answering, Headers, Parts

_LAST = ("connection", "close")


class ConnectionClose:
    """Adds ``Connection: close`` to the responses of one worker once it shuts down.

    Attributes:
        leaving: the worker shuts down: responses begun from now on carry ``Connection: close``.
    """

    def __init__(self) -> None:
        self.leaving = False
        self._running: set[Any] = set()

    def around(self, answer: Answer) -> Answer:
        """Wrap ``answer``: count responses in progress, and add the header once the worker shuts down."""
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
        """Whether responses without ``Connection: close`` are still in progress."""
        return bool(self._running)


class _Last:
    """Granian's protocol object of a request, with ``Connection: close`` added to the response."""

    __slots__ = ("_protocol",)

    def __init__(self, protocol: Answering) -> None:
        self._protocol = protocol

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a complete response."""
        self._protocol.response_bytes(status, [*headers, _LAST], body)

    def response_iter(self, status: int, headers: Headers, body: Parts) -> None:
        """Send a response in parts."""
        self._protocol.response_iter(status, [*headers, _LAST], body)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._protocol, name)

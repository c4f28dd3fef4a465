"""Passes requests of every HTTP version to Hypercorn's HTTPStream, which calls the application."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.protocol.events import Request, Response
from hypercorn.protocol.http_stream import HTTPStream

from tlsrun.http1.fields import TOKEN
from tlsrun.http1.framing import HOP_BY_HOP, Unfinished, content_length, has_no_body
from tlsrun.servers.hypercorn.environ import Line
from tlsrun.servers.hypercorn.heads import Headers
from tlsrun.servers.hypercorn.tasks import Tasks

_OF_A_CONNECTION = frozenset(name.encode("ascii") for name in HOP_BY_HOP)
_LENGTH = b"content-length"


@dataclass(frozen=True, kw_only=True)
class StreamFactory:
    """Makes the streams of one connection.

    Arguments:
        config, context: Hypercorn's configuration and worker context.
        tasks: starts the application for a request.
        line: the connection.
    """

    config: Config
    context: WorkerContext
    tasks: Tasks
    line: Line

    @property
    def terminated(self) -> bool:
        """Whether the worker is stopping."""
        return self.context.terminated.is_set()

    def stream(self, number: int, send: Callable[[Any], Awaitable[None]]) -> HTTPStream:
        """Return the stream for one request.

        Arguments:
            send: called with the events of the response.
        """
        # HTTPStream uses only `Tasks.spawn_app` of its task group, and passes the application (None) to that.
        make: Any = HTTPStream
        peer, here = self.line.peer, self.line.here
        made: HTTPStream = make(None, self.config, self.context, self.tasks, True, peer, here, send, number)
        return made

    async def begin(
        self,
        stream: HTTPStream,
        *,
        version: str,
        method: bytes,
        target: bytes,
        headers: Headers,
        consumed: Callable[[int], None] | None = None,
    ) -> None:
        """Start handling a request. If Hypercorn's ``server_names`` do not contain its host, the stream is closed.

        Arguments:
            target: path and query.
            headers: names in lower case.
            consumed: as in `tlsrun.servers.hypercorn.dispatcher.RequestDispatcher.begin`.
        """
        self.tasks.consumed = consumed
        state: Any = {"line": self.line}
        await stream.handle(
            Request(
                stream_id=stream.stream_id,
                headers=headers,
                http_version=version,
                method=method.decode("ascii"),
                raw_path=target,
                state=state,
            )
        )
        await self.context.mark_request()


class Multiplexed:
    """A request and its response on a connection that multiplexes (HTTP/2, HTTP/3).

    Arguments:
        stream: Hypercorn's stream.
        method: the request's method.

    Attributes:
        ended: the request was received completely.
        whole: the response was sent completely.
        wordless: the response has no body.
        missing: bytes that are still to come according to Content-Length; None if there is none.
    """

    __slots__ = ("_length", "_method", "ended", "missing", "stream", "whole", "wordless")

    def __init__(self, stream: HTTPStream, method: bytes) -> None:
        self.stream = stream
        self._method = method
        self.ended = self.whole = self.wordless = False
        self._length: int | None = None
        self.missing: int | None = None

    def opening(self, answer: Response, common: Headers) -> Headers:
        """Return the response's headers, without connection-specific ones (RFC 9113, section 8.2.2).

        Arguments:
            common: the server's own headers.

        Raises:
            ValueError: a header is invalid.
        """
        headers = [(b":status", b"%d" % answer.status_code)]
        for name, value in answer.headers:
            if name not in _OF_A_CONNECTION:
                headers.append((check_name(name), value))
        self.wordless = has_no_body(self._method, answer.status_code)
        if not self.wordless:
            self._length = self.missing = content_length([value for name, value in answer.headers if name == _LENGTH])
        return headers + common

    def count(self, data: bytes) -> bool:
        """Count ``data`` as sent; return whether the body ends with it, by its Content-Length."""
        if self.missing is not None:
            self.missing -= len(data)
            self.whole = self.missing <= 0
        return self.whole

    def check(self) -> None:
        """Check the length of the body, once it has ended.

        Raises:
            Unfinished: the body is shorter than its Content-Length.
        """
        if self.missing and self._length:
            raise Unfinished(self._length, self._length - self.missing)


@functools.lru_cache(maxsize=512)
def check_name(name: bytes) -> bytes:
    """Return ``name`` if it is a valid header name.

    Raises:
        ValueError: it is not.
    """
    if TOKEN.fullmatch(name) is None:
        raise ValueError(f"no name of an HTTP header: {name!r}")
    return name


def target_and_headers(request: Headers) -> tuple[bytes, bytes, Headers]:
    """Return method, target (path and query) and headers of a request; ``:authority`` becomes the Host header.

    Arguments:
        request: the headers including pseudo-headers (RFC 9113, section 8.3.1).
    """
    pseudo = {name: value for name, value in request if name[:1] == b":"}
    host = pseudo.get(b":authority")
    lines = [field for field in request if field[0][:1] != b":" and (host is None or field[0] != b"host")]
    if host is not None:
        lines.insert(0, (b"host", host))
    return pseudo[b":method"], pseudo[b":path"], lines

"""Where requests go, whatever version of HTTP they came by: to Hypercorn's stream, which asks for the application."""

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
        config, context: Hypercorn's.
        tasks: take requests.
        line: the connection.
    """

    config: Config
    context: WorkerContext
    tasks: Tasks
    line: Line

    @property
    def terminated(self) -> bool:
        """Whether the worker stops."""
        return self.context.terminated.is_set()

    def stream(self, number: int, send: Callable[[Any], Awaitable[None]]) -> HTTPStream:
        """Of one request.

        Arguments:
            send: takes the events of its answer.
        """
        # Of its task group it asks for `Tasks.spawn_app` alone, which needs no application of its.
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
        """Have a request answered; where Hypercorn's ``server_names`` do not have its host, the stream is closed then.

        Arguments:
            target: path and query.
            headers: names in lower case.
            consumed: told how many bytes of the body were taken; None where the client is to wait while its body waits.
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
    """A request of a connection that has many at once, and its answer.

    Arguments:
        stream: Hypercorn's.
        request: its headers.

    Attributes:
        ended: the request has come whole.
        whole: the answer is sent whole.
        wordless: the answer has no body.
        missing: bytes of the answer that were announced, and have not come; None where nothing was.
    """

    __slots__ = ("_length", "_method", "ended", "missing", "stream", "whole", "wordless")

    def __init__(self, stream: HTTPStream, method: bytes) -> None:
        self.stream = stream
        self._method = method
        self.ended = self.whole = self.wordless = False
        self._length: int | None = None
        self.missing: int | None = None

    def opening(self, answer: Response, common: Headers) -> Headers:
        """The answer's headers, without those that only HTTP/1.1 has (RFC 9113, section 8.2.2).

        Arguments:
            common: those of the server.

        Raises:
            ValueError: there can be no such header.
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
        """So much of the answer's body goes to the client; whether that is the end of it, as its head has said."""
        if self.missing is not None:
            self.missing -= len(data)
            self.whole = self.missing <= 0
        return self.whole

    def check(self) -> None:
        """The answer has ended.

        Raises:
            Unfinished: before the end that its head has announced.
        """
        if self.missing and self._length:
            raise Unfinished(self._length, self._length - self.missing)


@functools.lru_cache(maxsize=512)
def check_name(name: bytes) -> bytes:
    """The name of an answer's header.

    Raises:
        ValueError: there can be none of this name.
    """
    if TOKEN.fullmatch(name) is None:
        raise ValueError(f"no name of an HTTP header: {name!r}")
    return name


def target_and_headers(request: Headers) -> tuple[bytes, bytes, Headers]:
    """Method, path and query, and headers of a request over HTTP/2 or HTTP/3, with its authority as Host.

    Arguments:
        request: its headers, with the pseudo-headers (RFC 9113, section 8.3.1).
    """
    pseudo = {name: value for name, value in request if name[:1] == b":"}
    host = pseudo.get(b":authority")
    lines = [field for field in request if field[0][:1] != b":" and (host is None or field[0] != b"host")]
    if host is not None:
        lines.insert(0, (b"host", host))
    return pseudo[b":method"], pseudo[b":path"], lines

"""Request bodies under gunicorn, which takes one that broke off before its Content-Length for whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gunicorn.http.body import ChunkedReader, LengthReader
from gunicorn.http.errors import (
    ChunkMissingTerminator,
    InvalidChunkSize,
    InvalidHeader,
    NoMoreData,
    ParseException,
)

from tlsrun.servers.broken import Broken, BrokenBody, broken_for
from tlsrun.servers.gunicorn.older import InvalidChunkExtension, make_stricter
from tlsrun.wsgi.chunked import for_bottle

#: The last three are ParseExceptions from gunicorn 27 on.
_MALFORMED = (ParseException, InvalidChunkSize, InvalidChunkExtension, ChunkMissingTerminator)


def with_bodies(application: Callable[..., Any], framework: str) -> Callable[..., Any]:
    """Wrap an application so that a body is read to its end, or raises `BrokenBody`.

    Arguments:
        framework: ``flask``, ``bottle`` or ``wsgi``.
    """
    make_stricter()
    broken = broken_for(framework)
    application = for_bottle(application) if framework == "bottle" else application

    def reading(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"]
        kind = type(body.reader)
        if kind is LengthReader:
            if body.reader.length:
                body.reader = _Whole(body.reader, broken)
        elif isinstance(body.reader, ChunkedReader):
            body.reader = _Chunked(body.reader, broken)
        result: Iterable[bytes] = application(environ, start_response)
        return result

    return reading


class _Whole:
    """Of a known length; gunicorn's reader (27.0) returns what has come when the client closes before."""

    def __init__(self, reader: Any, broken: Broken) -> None:
        self._reader = reader
        self._broken = broken

    def read(self, size: int) -> bytes:
        """As gunicorn's; raises if the client left before it had sent the whole length."""
        left = self._reader.length
        data: bytes = self._reader.read(size)
        if len(data) < min(size, left):
            raise self._broken(f"the client went away with {left - len(data)} bytes of its request unsent")
        return data


class _Chunked:
    """A chunked body. gunicorn's own exceptions make it close or answer 400; frameworks need one that they know."""

    def __init__(self, reader: Any, broken: Broken) -> None:
        self._reader = reader
        self._broken = broken

    def read(self, size: int) -> bytes:
        """As gunicorn's."""
        try:
            data: bytes = self._reader.read(size)
        except NoMoreData as error:
            raise self._broken("the client went away before it had sent all of its request") from error
        except _MALFORMED as error:
            if self._broken is BrokenBody:
                # Before 27 these are no ParseExceptions: gunicorn would close the connection and log a traceback.
                if isinstance(error, ParseException):
                    raise
                raise InvalidHeader(str(error)) from error
            raise self._broken(f"the request's body is malformed: {error}") from error
        return data

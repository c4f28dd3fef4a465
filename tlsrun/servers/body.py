"""``wsgi.input`` over a source that has only ``read(size)``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from tlsrun.servers.broken import Broken, BrokenBody

_AT_ONCE = 65536
_LINE = 8192


class InputStream:
    """A request body with the methods that PEP 3333 requires.

    Granian's own ``read()`` loses what an earlier ``read(size)`` buffered, its lines lack their line feeds, and a
    truncated body looks like a complete one.

    Arguments:
        raw: the server's input; its ``read(size)`` blocks until ``size`` bytes or the end have arrived, and raises
            ConnectionResetError if it can tell that the body is truncated.
        length: length of the body in bytes; None if the client did not declare it.
        waiting: context manager entered while waiting for the client.
        broken: exception class raised to the application when the body is truncated.
    """

    __slots__ = ("_broken", "_kept", "_left", "_raw", "_waiting")

    def __init__(
        self, raw: Any, length: int | None, waiting: AbstractContextManager[None], broken: Broken = BrokenBody
    ) -> None:
        self._raw = raw
        self._waiting = waiting
        self._broken = broken
        self._left = length
        self._kept = b""

    def read(self, size: int | None = -1) -> bytes:
        """Return ``size`` bytes, fewer at the end; the whole rest if ``size`` is None or negative.

        Raises:
            BrokenBody: the client disconnected before it had sent the whole body.
        """
        if size is not None and size >= 0:
            if not self._kept:
                return self._more(size)
            taken, self._kept = self._kept[:size], self._kept[size:]
            return taken + self._more(size - len(taken)) if len(taken) < size else taken
        parts = [self._kept]
        self._kept = b""
        while part := self._more(_AT_ONCE):
            parts.append(part)
        return b"".join(parts)

    def readline(self, size: int | None = -1) -> bytes:
        """Return up to and including the next line feed, at most ``size`` bytes."""
        limit = None if size is None or size < 0 else size
        data = self._kept
        while b"\n" not in data and (limit is None or len(data) < limit):
            part = self._more(_LINE)
            if not part:
                break
            data += part
        end = data.find(b"\n") + 1 or len(data)
        end = end if limit is None else min(end, limit)
        self._kept = data[end:]
        return data[:end]

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        """Return the remaining lines; stop once their total length reaches ``hint`` bytes."""
        lines, total = [], 0
        for line in self:
            lines.append(line)
            total += len(line)
            if hint is not None and 0 < hint <= total:
                break
        return lines

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _more(self, size: int) -> bytes:
        if not size:
            return b""
        try:
            with self._waiting:
                data: bytes = self._raw.read(size)
        except ConnectionResetError as error:
            raise self._broken(str(error)) from error
        if self._left is not None:
            self._left -= len(data)
            if not data and self._left > 0:
                raise self._broken(f"the client went away with {self._left} bytes of its request unsent")
        return data

"""``wsgi.input`` over a source that knows ``read(size)`` alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from tlsrun.servers.broken import Broken, BrokenBody

_AT_ONCE = 65536
_LINE = 8192


class InputStream:
    """A request's body as PEP 3333 wants it.

    Granian's own ``read()`` forgets what a ``read(size)`` has buffered, its lines have no ends, and a body that breaks
    off looks like one that is over.

    Arguments:
        raw: the server's; its ``read(size)`` waits for so many bytes, or the end, and raises ConnectionResetError
            where it can tell that more was to come.
        length: of the body, in bytes, where the client said it.
        waiting: entered while the client is waited for.
        broken: makes what the application is told of a body that breaks off.
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
        """So many bytes, fewer at the end; all of them for None or a negative size.

        Raises:
            BrokenBody: the client went away before it had sent all.
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
        """Up to and with the next line feed, ``size`` bytes at most."""
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
        """The lines that are left; no more once they hold ``hint`` bytes."""
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

"""Request bodies kept until they are whole: in memory, then in a temporary file that has no name."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import IO

from tlsrun.edge.chunks import Chunked
from tlsrun.edge.limits import Limits
from tlsrun.edge.refusal import Refused, malformed


class Spool:
    """Bytes that are written once, then read in order.

    Arguments:
        memory: bytes held before a file is used.
    """

    __slots__ = ("_at", "_file", "_memory", "_parts", "size")

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._parts: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._at = 0
        self.size = 0

    def append(self, data: bytes) -> None:
        """Keep ``data``.

        Raises:
            Refused: 507, the disk is full.
        """
        self.size += len(data)
        if self._file is None:
            self._parts.append(data)
            if self.size <= self._memory:
                # Many small pieces cost more than their bytes.
                if len(self._parts) > 64:
                    self._parts = [b"".join(self._parts)]
                return
            data = b"".join(self._parts)
            self._parts.clear()
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 -- closed by close()
            _write_all(self._file.fileno(), data)
        except OSError as error:
            raise Refused(507, "The server has no room for a body of this size.") from error

    def take(self, size: int) -> bytes:
        """The next bytes, at most ``size`` of them when they come from the file; b"" at the end."""
        if self._file is None:
            data = b"".join(self._parts)
            self._parts.clear()
            return data
        data = os.pread(self._file.fileno(), size, self._at)
        self._at += len(data)
        return data

    def close(self) -> None:
        """Let go of everything."""
        self._parts.clear()
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


class Body:
    """A body on its way into a spool.

    Arguments:
        length: from Content-Length; None for a chunked body.
        limits: of its size, and of what is held in memory.

    Attributes:
        spool: what came so far; whoever takes it closes it.
        done: the body is whole.
    """

    __slots__ = ("_chunks", "_left", "_limits", "done", "spool")

    def __init__(self, length: int | None, limits: Limits) -> None:
        self._chunks = Chunked(malformed) if length is None else None
        self._left = length or 0
        self._limits = limits
        self.spool = Spool(limits.buffer)
        self.done = False

    def feed(self, data: bytes) -> bytes:
        """Take what came.

        Returns:
            what lies behind the end of the body.

        Raises:
            Refused: 400, 413 or 507.
        """
        if self._chunks is None:
            part, rest = data[: self._left], data[self._left :]
            self._left -= len(part)
            self.spool.append(part)
            self.done = not self._left
            return rest
        pieces, rest = self._chunks.feed(data)
        for piece in pieces:
            check_body(self.spool.size + len(piece), self._limits)
            self.spool.append(piece)
        self.done = self._chunks.done
        return rest


def check_body(size: int, limits: Limits) -> None:
    """Refuse a body that is larger than the limit."""
    if limits.body is not None and size > limits.body:
        raise Refused(413, f"The request's body is larger than {limits.body} bytes.")

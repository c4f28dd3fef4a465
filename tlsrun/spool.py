"""Buffers bytes for a slow consumer: in memory, then in an unnamed temporary file."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from typing import IO

#: Bytes that are moved in one step.
PART = 131072


class Room:
    """A limit on what all spools that share it may hold together. Safe to use from any thread.

    Arguments:
        size: bytes.
    """

    __slots__ = ("_left", "_lock")

    def __init__(self, size: int) -> None:
        self._left = size
        self._lock = threading.Lock()

    @property
    def exhausted(self) -> bool:
        """Whether no bytes are left."""
        return self._left <= 0

    def take(self, size: int) -> None:
        """Use ``size`` bytes, even more than are left; a negative number gives bytes back."""
        with self._lock:
            self._left -= size


class Spool:
    """A first-in, first-out buffer of bytes.

    Arguments:
        memory: bytes held in memory before a file is used.
        most: bytes from which `full` tells the producer to wait; None for no limit.
        room: the limit that it shares with others; None for none.

    Attributes:
        size: bytes put in so far.
        held: bytes in it now.
    """

    __slots__ = ("_at", "_end", "_file", "_memory", "_most", "_parts", "_room", "_rest", "held", "size")

    def __init__(self, memory: int, *, most: int | None = None, room: Room | None = None) -> None:
        self._memory = memory
        self._most = most
        self._room = room
        self._parts: list[bytes] = []  # the oldest; then come those in the file, then the rest
        self._rest: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._at = self._end = 0  # in the file
        self.size = self.held = 0

    @property
    def full(self) -> bool:
        """Whether the producer should wait, if it can, until the spool is empty: before that, its file only grows."""
        if self._rest or (self._most is not None and max(self.held, self._end) >= self._most):
            return True
        return self._room is not None and self._room.exhausted

    def append(self, data: bytes) -> None:
        """Keep ``data``.

        Raises:
            OSError: there can be no temporary file, or the disk is full; nothing was kept.
        """
        if self._rest or (self._file is None and self.held + len(data) <= self._memory):
            parts = self._rest or self._parts
            parts.append(data)
            if len(parts) > 64:  # many small pieces cost more than their bytes
                parts[:] = [b"".join(parts)]
        else:
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 -- closed by close()
            self._end = _write_all(self._file.fileno(), data, self._end)
        self._count(len(data))

    def keep(self, data: bytes) -> None:
        """As `append`, but if the disk is full, ``data`` is held in memory; the spool is then `full`."""
        try:
            self.append(data)
        except OSError:
            self._rest.append(data)
            self._count(len(data))

    def take(self, size: int) -> bytes:
        """The next bytes, at most ``size`` of them when they come from the file; b"" if it is empty."""
        if self._parts:
            data = b"".join(self._parts)
            self._parts.clear()
        elif self._file is not None and self._at < self._end:
            data = _read_at(self._file.fileno(), min(size, self._end - self._at), self._at)
            self._at += len(data)
        else:
            data = b"".join(self._rest)
            self._rest.clear()
        self._count(-len(data), put=False)
        if not self.held:
            self._close_file()
        return data

    def close(self) -> None:
        """Discard everything."""
        self._parts.clear()
        self._rest.clear()
        self._count(-self.held, put=False)
        self._close_file()

    def _count(self, size: int, *, put: bool = True) -> None:
        self.held += size
        if put:
            self.size += size
        if self._room is not None:
            self._room.take(size)

    def _close_file(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
            self._at = self._end = 0


def _read_at(descriptor: int, size: int, at: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, size, at)
    os.lseek(descriptor, at, os.SEEK_SET)  # Windows
    return os.read(descriptor, size)


def _write_at(descriptor: int, data: memoryview, at: int) -> int:
    if hasattr(os, "pwrite"):
        return os.pwrite(descriptor, data, at)
    os.lseek(descriptor, at, os.SEEK_SET)
    return os.write(descriptor, data)


def _write_all(descriptor: int, data: bytes, at: int) -> int:
    """Write all of ``data`` at an offset; returns the offset behind it."""
    view = memoryview(data)
    while view:
        written = _write_at(descriptor, view, at)
        view, at = view[written:], at + written
    return at

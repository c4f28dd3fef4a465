"""Buffers between a fast producer and a slow consumer: in memory while the total is small, then in temporary files.

A file only grows until it has been read completely. A producer that can wait should do so until the file is gone.
"""

from __future__ import annotations

from collections import deque

from tlsrun.spool import Room, Spool

_OWN = 65536  # bytes that each buffer may keep in memory, even when the shared memory is used up
_SMALL = 4096  # bytes: what follows a smaller part is appended to it, as an object for each costs more than its data


class SharedQuota:
    """A limit on what several buffers hold together.

    Arguments:
        memory: bytes in memory; beyond them data goes to files, except for a little in each buffer.
        total: bytes in memory and in files.
    """

    __slots__ = ("memory", "total")

    def __init__(self, memory: int, total: int) -> None:
        self.memory = Room(memory)
        self.total = Room(total)


class SpillBuffer:
    """A FIFO of bytes that spills to a temporary file.

    Arguments:
        stock: the quota that it shares with other buffers.
        most: bytes in its file above which it is `full`; None for no limit.

    Attributes:
        held: number of bytes in the buffer.
    """

    __slots__ = ("_most", "_parts", "_spool", "_stock", "held")

    def __init__(self, stock: SharedQuota, most: int | None = None) -> None:
        self._stock = stock
        self._most = most
        self._parts: deque[bytes | bytearray] = deque()  # older than what is in the file
        self._spool: Spool | None = None
        self.held = 0

    @property
    def full(self) -> bool:
        """Whether the producer should wait: the buffer or the quota is used up, or the disk is full."""
        return self._stock.total.exhausted or (self._spool is not None and self._spool.full)

    @property
    def in_file(self) -> bool:
        """Whether a file is in use."""
        return self._spool is not None

    def append(self, data: bytes) -> None:
        """Append ``data``.

        Raises:
            OSError: the file cannot be created or written to; nothing of ``data`` was added.
        """
        if not self._to_memory(data):
            spool = self._spool = self._spool or Spool(0, most=self._most)
            try:
                spool.append(data)
            except OSError:
                self._close_empty()
                raise
        self._count(len(data))

    def keep(self, data: bytes) -> None:
        """As `append`, but what cannot be written to disk is kept in memory, and the buffer is `full`."""
        if not self._to_memory(data):
            self._spool = self._spool or Spool(0, most=self._most)
            self._spool.keep(data)
        self._count(len(data))

    def take(self, most: int) -> bytes:
        """Remove and return the next bytes, at most ``most``; b"" if the buffer is empty."""
        if self._parts:
            part = self._parts.popleft()
            if len(part) > most:
                self._parts.appendleft(part[most:])
                part = part[:most]
            self._stock.memory.take(-len(part))
        elif self._spool is None:
            return b""
        else:
            part = self._spool.take(most)
            if len(part) > most:  # kept in memory because the disk was full
                self._parts.append(part[most:])
                self._stock.memory.take(len(part) - most)
                part = part[:most]
            self._close_empty()
        self._count(-len(part))
        return bytes(part)

    def clear(self) -> None:
        """Discard the content."""
        self._stock.memory.take(-sum(map(len, self._parts)))
        self._parts.clear()
        if self._spool is not None:
            self._spool.close()
            self._spool = None
        self._count(-self.held)

    def _to_memory(self, data: bytes) -> bool:
        if self._spool is not None or (self.held + len(data) > _OWN and self._stock.memory.exhausted):
            return False
        if self._parts and len(self._parts[-1]) < _SMALL:
            last = self._parts[-1]
            if isinstance(last, bytes):
                last = self._parts[-1] = bytearray(last)
            last += data
        else:
            self._parts.append(data)
        self._stock.memory.take(len(data))
        return True

    def _close_empty(self) -> None:
        if self._spool is not None and not self._spool.held:
            self._spool.close()
            self._spool = None

    def _count(self, size: int) -> None:
        self.held += size
        self._stock.total.take(size)

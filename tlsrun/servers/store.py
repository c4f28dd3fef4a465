"""Bytes that wait for whoever is slower: in memory as long as all together are few, then in a temporary file.

A file in use grows and does not shrink: who can wait before it puts more in does so until the file is gone.
"""

from __future__ import annotations

from collections import deque

from tlsrun.spool import Room, Spool

_OWN = 65536  # bytes that each may have in memory, however many others there are
_SMALL = 4096  # bytes of a part below which the next one is joined to it: an object for each costs more than they do


class SharedQuota:
    """What all stores that share it may hold together.

    Arguments:
        memory: bytes in memory; once they are used, what comes goes to files, but for a little of each.
        total: bytes in memory and in files.
    """

    __slots__ = ("memory", "total")

    def __init__(self, memory: int, total: int) -> None:
        self.memory = Room(memory)
        self.total = Room(total)


class SpillBuffer:
    """Bytes that come out in the order in which they went in.

    Arguments:
        stock: what it shares with others.
        most: bytes in a file above which it is `full`; None for no limit.

    Attributes:
        held: bytes that are in it.
    """

    __slots__ = ("_most", "_parts", "_spool", "_stock", "held")

    def __init__(self, stock: SharedQuota, most: int | None = None) -> None:
        self._stock = stock
        self._most = most
        self._parts: deque[bytes | bytearray] = deque()  # these came before those in the file
        self._spool: Spool | None = None
        self.held = 0

    @property
    def full(self) -> bool:
        """Whether no more is to be put in, if that can be helped: there is too much, or the disk is full."""
        return self._stock.total.exhausted or (self._spool is not None and self._spool.full)

    @property
    def in_file(self) -> bool:
        """Whether a file is in use."""
        return self._spool is not None

    def append(self, data: bytes) -> None:
        """Keep ``data``.

        Raises:
            OSError: there is no file to be had, or no room for it; nothing was kept.
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
        """As `append`, but what finds no room on the disk is held in memory; then it is `full`."""
        if not self._to_memory(data):
            self._spool = self._spool or Spool(0, most=self._most)
            self._spool.keep(data)
        self._count(len(data))

    def take(self, most: int) -> bytes:
        """The next bytes, at most so many; b"" when it is empty."""
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
            if len(part) > most:  # what found no room on the disk
                self._parts.append(part[most:])
                self._stock.memory.take(len(part) - most)
                part = part[:most]
            self._close_empty()
        self._count(-len(part))
        return bytes(part)

    def clear(self) -> None:
        """Let go of everything."""
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

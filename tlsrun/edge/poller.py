"""Readiness of the sockets to the workers, cheaper than the event loop's own readers.

A request has its own connection to a worker, so registering is as frequent as requests. One epoll object, itself
watched by the loop, costs a third of ``loop.add_reader`` under asyncio, and less than under uvloop.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
from collections.abc import Callable
from typing import Protocol

READ, WRITE = 1, 4  # as EPOLLIN and EPOLLOUT (epoll_ctl(2)); an end or error is told as both

Handler = Callable[[int], None]


class Poller(Protocol):
    """Calls a handler with what its file descriptor is ready for (READ, WRITE), again until it is not.

    A handler raises nothing.
    """

    def watch(self, descriptor: int, mask: int, handler: Handler) -> None:
        """Begin."""

    def change(self, descriptor: int, before: int, mask: int) -> None:
        """Wait for something else than ``before``; 0 waits for nothing."""

    def forget(self, descriptor: int, mask: int) -> None:
        """End; the descriptor is closed right after."""

    def watch_end(self, descriptor: int, handler: Handler) -> None:
        """Call ``handler`` when the connection is broken, and for nothing else; where that cannot be seen, never."""

    def forget_end(self, descriptor: int, handler: Handler) -> None:
        """End that; the descriptor may be closed already, and be another's."""

    def close(self) -> None:
        """End all."""


class EpollPoller:
    """`Poller` by epoll(7)."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        loop.add_reader(self._epoll.fileno(), self._dispatch)

    def watch(self, descriptor: int, mask: int, handler: Handler) -> None:
        """Begin."""
        self._handlers[descriptor] = handler
        if mask:
            self._epoll.register(descriptor, mask)

    def change(self, descriptor: int, before: int, mask: int) -> None:
        """Wait for something else. An end is told even to a mask of 0, so that one is taken out."""
        if not mask:
            self._epoll.unregister(descriptor)
        elif not before:
            self._epoll.register(descriptor, mask)
        else:
            self._epoll.modify(descriptor, mask)

    def forget(self, descriptor: int, mask: int) -> None:
        """End; closing takes it out of the epoll set."""
        del self._handlers[descriptor]

    def watch_end(self, descriptor: int, handler: Handler) -> None:
        """A mask of 0 does: EPOLLERR and EPOLLHUP are always told (epoll_ctl(2))."""
        self._handlers[descriptor] = handler
        self._epoll.register(descriptor, 0)

    def forget_end(self, descriptor: int, handler: Handler) -> None:
        """End; what is closed has left the epoll set."""
        if self._handlers.get(descriptor) == handler:
            del self._handlers[descriptor]
            with contextlib.suppress(OSError):
                self._epoll.unregister(descriptor)

    def close(self) -> None:
        """End all."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _dispatch(self) -> None:
        for descriptor, events in self._epoll.poll(0, 256):
            handler = self._handlers.get(descriptor)
            if handler is not None:  # else an earlier one of this round ended it
                handler(events | (READ | WRITE if events & ~(READ | WRITE) else 0))


class LoopPoller:
    """`Poller` by the event loop's own readers and writers, for systems without epoll."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handlers: dict[int, Handler] = {}

    def watch(self, descriptor: int, mask: int, handler: Handler) -> None:
        """Begin."""
        self._handlers[descriptor] = handler
        self.change(descriptor, 0, mask)

    def change(self, descriptor: int, before: int, mask: int) -> None:
        """Wait for something else."""
        handler = self._handlers[descriptor]
        if mask & READ and not before & READ:
            self._loop.add_reader(descriptor, handler, READ)
        elif before & READ and not mask & READ:
            self._loop.remove_reader(descriptor)
        if mask & WRITE and not before & WRITE:
            self._loop.add_writer(descriptor, handler, WRITE)
        elif before & WRITE and not mask & WRITE:
            self._loop.remove_writer(descriptor)

    def forget(self, descriptor: int, mask: int) -> None:
        """End."""
        self.change(descriptor, mask, 0)
        del self._handlers[descriptor]

    def watch_end(self, descriptor: int, handler: Handler) -> None:
        """It cannot be seen without reading."""

    def forget_end(self, descriptor: int, handler: Handler) -> None:
        """As `watch_end`."""

    def close(self) -> None:
        """End all; nothing is watched any more."""


def make_poller(loop: asyncio.AbstractEventLoop) -> Poller:
    """The best one of this system."""
    return EpollPoller(loop) if hasattr(select, "epoll") else LoopPoller(loop)

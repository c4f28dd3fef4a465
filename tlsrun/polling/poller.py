"""Which descriptors are ready: what the selectors module does, by less than half of its work for each connection.

A connection is watched, and watched no more, for each request. `selectors.EpollSelector` makes a key with four parts
each time, and looks descriptors up in several tables.
"""

from __future__ import annotations

import contextlib
import select
import selectors
from typing import Any, Protocol

#: So many at a time: who waits shall not wait for a crowd.
_MOST = 64

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Poller(Protocol):
    """By descriptor."""

    live: bool
    """Whether it notices what another thread changes while it waits (epoll(7), kqueue(2))."""

    def watch(self, descriptor: int, events: int, data: Any) -> None:
        """Watch for `READ` or `WRITE`."""

    def change(self, descriptor: int, events: int, data: Any) -> None:
        """Watch one that is watched already for something else."""

    def forget(self, descriptor: int) -> None:
        """Watch it no more."""

    def wait(self, seconds: float) -> list[Any]:
        """What was given as ``data`` of those that are ready, within so many seconds."""

    def watched(self) -> list[Any]:
        """What was given as ``data`` of all that are watched."""

    def close(self) -> None:
        """Watch nothing any more."""


def new_poller() -> Poller:
    """The best of this system."""
    return _Epoll() if hasattr(select, "epoll") else _Selector()


class _Epoll:
    live = True
    # EPOLLIN and EPOLLOUT are 1 and 4, EVENT_READ and EVENT_WRITE 1 and 2.
    _EVENTS = (0, 1, 4, 5)

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._data: dict[int, Any] = {}

    def watch(self, descriptor: int, events: int, data: Any) -> None:
        self._data[descriptor] = data
        self._epoll.register(descriptor, self._EVENTS[events])

    def change(self, descriptor: int, events: int, data: Any) -> None:
        self._data[descriptor] = data
        self._epoll.modify(descriptor, self._EVENTS[events])

    def forget(self, descriptor: int) -> None:
        self._data.pop(descriptor, None)
        with contextlib.suppress(OSError):  # closed already, which the kernel has noticed
            self._epoll.unregister(descriptor)

    def wait(self, seconds: float) -> list[Any]:
        get = self._data.get
        ready = [get(descriptor) for descriptor, _ in self._epoll.poll(seconds, _MOST)]
        return [data for data in ready if data is not None] if None in ready else ready

    def watched(self) -> list[Any]:
        return list(self._data.values())

    def close(self) -> None:
        self._epoll.close()


class _Selector:
    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        kqueue = getattr(selectors, "KqueueSelector", None)
        self.live = kqueue is not None and isinstance(self._selector, kqueue)

    def watch(self, descriptor: int, events: int, data: Any) -> None:
        self._selector.register(descriptor, events, data)

    def change(self, descriptor: int, events: int, data: Any) -> None:
        self._selector.modify(descriptor, events, data)

    def forget(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)

    def wait(self, seconds: float) -> list[Any]:
        return [key.data for key, _ in self._selector.select(seconds)]

    def watched(self) -> list[Any]:
        return [key.data for key in list(self._selector.get_map().values())]

    def close(self) -> None:
        self._selector.close()

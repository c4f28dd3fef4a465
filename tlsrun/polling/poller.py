"""Which descriptors are ready: what the selectors module does, by less than half of its work for each connection.

A connection is watched, and watched no more, for each request. `selectors.EpollSelector` makes a key with four parts
each time, and looks descriptors up in several tables. An event loop's own readers cost three times as much as a poller
that is itself, by its `fileno`, one of them.
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

    def fileno(self) -> int:
        """Its own descriptor, readable when something is ready: of epoll(7), kqueue(2) and /dev/poll."""

    def watch(self, descriptor: int, events: int, data: Any) -> None:
        """Watch for `READ` or `WRITE`; for neither (0), only that the connection breaks, which epoll alone can tell."""

    def change(self, descriptor: int, events: int, data: Any) -> None:
        """Watch one that is watched already for something else."""

    def forget(self, descriptor: int) -> None:
        """Watch it no more."""

    def forget_closing(self, descriptor: int) -> None:
        """Watch it no more, as it is closed right after: epoll needs no system call for that."""

    def wait(self, seconds: float | None) -> list[Any]:
        """What was given as ``data`` of those that are ready, within so many seconds; None waits for ever.

        Who is given several has to see whether one of them has ended another.
        """

    def data_of(self, descriptor: int) -> Any:
        """What was given as ``data`` of one; None of one that is not watched."""

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
        self.fileno = self._epoll.fileno

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

    def forget_closing(self, descriptor: int) -> None:
        self._data.pop(descriptor, None)

    def wait(self, seconds: float | None) -> list[Any]:
        get = self._data.get
        ready = [get(descriptor) for descriptor, _ in self._epoll.poll(seconds, _MOST)]
        return [data for data in ready if data is not None] if None in ready else ready

    def data_of(self, descriptor: int) -> Any:
        return self._data.get(descriptor)

    def watched(self) -> list[Any]:
        return list(self._data.values())

    def close(self) -> None:
        self._epoll.close()


class _Selector:
    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        kqueue = getattr(selectors, "KqueueSelector", None)
        self.live = kqueue is not None and isinstance(self._selector, kqueue)

    def fileno(self) -> int:
        return self._selector.fileno()

    def watch(self, descriptor: int, events: int, data: Any) -> None:
        if events:
            self._selector.register(descriptor, events, data)

    def change(self, descriptor: int, events: int, data: Any) -> None:
        self._selector.modify(descriptor, events, data)

    def forget(self, descriptor: int) -> None:
        with contextlib.suppress(KeyError):  # watched for neither
            self._selector.unregister(descriptor)

    forget_closing = forget

    def wait(self, seconds: float | None) -> list[Any]:
        return [key.data for key, _ in self._selector.select(seconds)]

    def data_of(self, descriptor: int) -> Any:
        key = self._selector.get_map().get(descriptor)
        return key and key.data

    def watched(self) -> list[Any]:
        return [key.data for key in list(self._selector.get_map().values())]

    def close(self) -> None:
        self._selector.close()

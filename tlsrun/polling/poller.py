"""Readiness of descriptors, as in the selectors module, at less than half of its cost per connection.

A connection is registered and unregistered for each request. `selectors.EpollSelector` builds a four-part key each time
and looks descriptors up in several tables. An event loop's own readers cost three times as much as a poller that is
itself, by its `fileno`, one of them.
"""

from __future__ import annotations

import contextlib
import select
import selectors
from typing import Any, Protocol

#: How many events are taken at a time, so that a burst does not hold up whoever comes next.
_MOST = 64

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Poller(Protocol):
    """Watches descriptors; each has some ``data`` that `wait` returns."""

    live: bool
    """Whether it notices what another thread changes while it waits (epoll(7), kqueue(2))."""

    def fileno(self) -> int:
        """The poller's own descriptor, readable when something is ready: with epoll(7), kqueue(2) and /dev/poll."""

    def watch(self, descriptor: int, events: int, data: Any) -> None:
        """Watch for `READ` or `WRITE`; 0 reports only a broken connection, which epoll alone can tell."""

    def change(self, descriptor: int, events: int, data: Any) -> None:
        """Change what a watched descriptor is watched for."""

    def forget(self, descriptor: int) -> None:
        """Stop watching it."""

    def forget_closing(self, descriptor: int) -> None:
        """Stop watching a descriptor that is about to be closed: epoll needs no system call for that."""

    def wait(self, seconds: float | None) -> list[Any]:
        """Wait up to ``seconds`` (None: forever); returns the ``data`` of the descriptors that are ready.

        The caller must allow for handling one of them having ended another.
        """

    def data_of(self, descriptor: int) -> Any:
        """The ``data`` of a descriptor; None if it is not watched."""

    def watched(self) -> list[Any]:
        """The ``data`` of all watched descriptors."""

    def close(self) -> None:
        """Release the poller's own resources."""


def new_poller() -> Poller:
    """The fastest poller that this system has."""
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
        with contextlib.suppress(KeyError):  # it was watched for neither event
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

"""Pages that tell which threads run the application, and how many are at it at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

Value = TypeVar("Value")

_within = 0
_most = 0
_threads: set[int] = set()
#: What is bound to the thread that makes it, as sqlite3's connections are.
_bound = threading.local()


def _within_once(work: Callable[[], Value]) -> Value:
    """Do it, and note which thread does so, and how many are at it at once."""
    global _within, _most
    _within += 1
    _most = max(_most, _within)
    _threads.add(threading.get_ident())
    _bound.times = getattr(_bound, "times", 0) + 1
    threading.Event().wait(0.001)
    result = work()
    _within -= 1
    return result


class _Once:
    """An answer of several parts, made one by one."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> _Once:
        return self

    def __next__(self) -> bytes:
        if not self._parts:
            raise StopIteration
        return _within_once(lambda: self._parts.pop(0))

    def close(self) -> None:
        _within_once(lambda: None)


def once(environ: dict[str, Any], start_response: Any, argument: str) -> Any:
    """The length of the body, in so many parts as are wanted."""
    size = _within_once(lambda: len(environ["wsgi.input"].read()))
    start_response("200 OK", [])
    return _Once([b"%d," % size for _ in range(int(argument))])


def counted(environ: dict[str, Any], start_response: Any, argument: str) -> Any:
    """How many threads have been `_within_once`, how many at once, and how often this one."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{len(_threads)} {_most} {getattr(_bound, 'times', 0)}".encode()]

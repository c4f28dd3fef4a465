"""Granian's ASGI interface used from threads: its futures are waited for, or call back, without an event loop.

Granian's WSGI interface (2.8) reports a truncated chunked body as complete, and blocks forever on a truncated one over
HTTP/2. The ASGI interface tells complete from truncated by the messages ``http.request`` and ``http.disconnect``. It
needs no asyncio: Granian calls the object that it takes for a coroutine scheduler once per request, in one of its
threads, and a future calls back, in another of its threads, as soon as it is done.
"""

from __future__ import annotations

import _thread
import logging
from collections.abc import Callable
from typing import Any

from granian.server.mp import _new_cbscheduler

_log = logging.getLogger("tlsrun.granian")

#: Logger to which Granian reports every part sent to a client that has disconnected: noise.
_NOISE = "_granian.asgi.io"


class ImmediateLoop:
    """Stands for the event loop on which Granian schedules a future's callbacks: runs them at once, in its thread."""

    @staticmethod
    def call_soon(callback: Callable[..., object], *arguments: Any, context: Any = None) -> None:
        """Call ``callback``."""
        callback(*arguments)

    call_soon_threadsafe = call_soon


class _Unused:
    """Stands for the event loop that would resume coroutines: there are none, so it has nothing to do."""

    @staticmethod
    def call_soon(*_: Any, **__: Any) -> None:
        """Do nothing."""

    call_soon_threadsafe = call_soon


def scheduler(answer: Callable[[Any, dict[str, Any]], object]) -> Any:
    """Make the object that Granian is given as the application.

    Arguments:
        answer: called for each request, in one of Granian's threads, with its protocol object and its ``scope``.
    """
    logging.getLogger(_NOISE).setLevel(logging.WARNING)

    def called(watcher: Any) -> None:
        try:
            answer(watcher.proto, watcher.scope)
        except BaseException as error:  # noqa: BLE001 -- a sys.exit() in a view, too, ends only its own request
            watcher.err(error)  # logged there, and answered with 500

    return _new_cbscheduler(_Unused, called, impl_asyncio=True)


def when_kept(promise: Any, then: Callable[[Any], object]) -> None:
    """Call ``then`` with the future's result: at once, or in one of Granian's threads; never if it was cancelled."""

    def called(kept: Any) -> None:
        if not kept.cancelled():
            then(kept.result())

    try:
        next(promise)
    except StopIteration as kept:
        then(kept.value)
    else:
        promise.add_done_callback(called)


def is_open(promise: Any) -> bool:
    """Whether a future is not done yet."""
    return hasattr(promise, "done") and not promise.done()


def wait_for(promise: Any, seconds: float) -> Any:
    """Wait for a future, and return its result.

    Raises:
        TimeoutError: it was not done within ``seconds``; it is cancelled.
    """
    try:
        next(promise)
    except StopIteration as kept:
        return kept.value
    bell = _thread.allocate_lock()
    bell.acquire()
    promise.add_done_callback(lambda _: bell.release())
    if not bell.acquire(timeout=seconds):
        promise.cancel()
        raise TimeoutError
    return promise.result()

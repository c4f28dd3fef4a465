"""Granian's ASGI interface, used by threads: what it promises is waited for, or calls back, without an event loop.

Its WSGI interface (2.8) says of a body in chunks that breaks off that it is over, and does not come to an end with one
over HTTP/2. Its ASGI interface tells the end of a body from its breaking off, by the messages ``http.request`` and
``http.disconnect`` of ASGI's specification. That needs no asyncio: for each request Granian calls what it takes for a
scheduler of coroutines, in a thread of its own, and a promise calls back in another of them as soon as it is kept.
"""

from __future__ import annotations

import _thread
import logging
from collections.abc import Callable
from typing import Any

from granian.server.mp import _new_cbscheduler

_log = logging.getLogger("tlsrun.granian")

#: What Granian says of each part of an answer whose client has gone. That is nothing to be told of.
_NOISE = "_granian.asgi.io"


class ImmediateLoop:
    """What Granian takes for the event loop in which a promise calls back: it does so at once, in its own thread."""

    @staticmethod
    def call_soon(callback: Callable[..., object], *arguments: Any, context: Any = None) -> None:
        """Call ``callback``."""
        callback(*arguments)

    call_soon_threadsafe = call_soon


class _Unused:
    """What it takes for the event loop of coroutines, of which there are none: each request is over, or with others."""

    @staticmethod
    def call_soon(*_: Any, **__: Any) -> None:
        """Do nothing."""

    call_soon_threadsafe = call_soon


def scheduler(answer: Callable[[Any, dict[str, Any]], object]) -> Any:
    """What Granian is given as the application.

    Arguments:
        answer: called for each request, in a thread of Granian's, with its side of it and its ``scope``.
    """
    logging.getLogger(_NOISE).setLevel(logging.WARNING)

    def called(watcher: Any) -> None:
        try:
            answer(watcher.proto, watcher.scope)
        except BaseException as error:  # noqa: BLE001 -- also sys.exit() in a view ends its request alone
            watcher.err(error)  # it is written down there, and answered with 500

    return _new_cbscheduler(_Unused, called, impl_asyncio=True)


def when_kept(promise: Any, then: Callable[[Any], object]) -> None:
    """Have ``then`` called with what was promised: at once, or in a thread of Granian's; not when it was cancelled."""

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
    """Whether a promise is not kept yet."""
    return hasattr(promise, "done") and not promise.done()


def wait_for(promise: Any, seconds: float) -> Any:
    """What was promised.

    Raises:
        TimeoutError: it did not come in time, and is not wanted any more.
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

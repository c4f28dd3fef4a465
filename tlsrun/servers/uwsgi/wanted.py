"""In uWSGI's workers, skip requests whose clients have gone.

Requests queue at the workers' socket, in the kernel, where they cannot be taken out again. The edge closes its
connection to the worker when the client goes; the worker that accepts it sees that, and skips the request.
"""

from __future__ import annotations

import ctypes
import mmap
import select
import time
from collections.abc import Callable, Iterable
from typing import Any

#: Both sides of the connection have ended, or it is broken. Who has ended its own side alone waits for an answer.
_GONE = select.POLLHUP | select.POLLERR
_LONGEST = 600.0  # seconds that such a request may lie in the queue


class TakenBack:
    """When an edge last gave a request up; workers check their requests as long after it as such may be queued.

    To be made before the fork.
    """

    def __init__(self) -> None:
        # Reading it costs a tenth of a poll(2).
        self._until = memoryview(mmap.mmap(-1, 8)).cast("d")

    def note(self) -> None:
        """Note that a request is about to be given up."""
        self._until[0] = time.monotonic() + _LONGEST

    def excepted(self, application: Callable[..., Any]) -> Callable[..., Any]:
        """``application``, called only for requests that somebody still waits for; for use within uWSGI."""
        gone, until = _looking(), self._until

        def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            if until[0] and until[0] > time.monotonic() and gone():
                return ()
            result: Iterable[bytes] = application(environ, start_response)
            return result

        return answer


def except_taken_back(application: Callable[..., Any]) -> Callable[..., Any]:
    """As `TakenBack.excepted` where no edge reports anything: workers check every request."""
    gone = _looking()

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        result: Iterable[bytes] = () if gone() else application(environ, start_response)
        return result

    return answer


class _Asked(ctypes.Structure):
    """poll(2)'s ``struct pollfd``."""

    _fields_ = [("descriptor", ctypes.c_int), ("events", ctypes.c_short), ("found", ctypes.c_short)]


def _looking() -> Callable[[], bool]:
    """What says whether the connection is gone over which the current request came."""
    import uwsgi

    connection: Callable[[], int] = uwsgi.connection_fd
    # Not select.poll, which releases the interpreter lock for a call that takes a microsecond.
    poll = ctypes.PyDLL(None).poll

    def gone() -> bool:
        asked = _Asked(connection(), 0, 0)
        return poll(ctypes.byref(asked), 1, 0) > 0 and bool(asked.found & _GONE)

    return gone

"""From start to stop: signals, the main thread's part, and the end that lets running requests finish."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from tlsrun.listening.notify import READY, STOPPING, notify
from tlsrun.servers.builtin.server import Server
from tlsrun.servers.duties import Duties

#: Seconds that running requests get when a reloader starts the program anew: a person is waiting for it.
RELOAD_GRACE = 1.0


class StopSignals:
    """SIGTERM and SIGINT, as long as the block runs, tell ``stop``; a second SIGINT is a KeyboardInterrupt.

    Outside the main thread, where Python takes no signals, nothing is done.

    Arguments:
        stop: called by the handler, between any two instructions of the main thread: it may take no lock.

    Attributes:
        last: the signal that came last; None before one came.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._before: dict[int, Any] = {}
        self._insists = False
        self.last: int | None = None

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def insist(self) -> None:
        """Raise KeyboardInterrupt in the main thread, whatever it does. Called by another thread."""
        self._insists = True
        if self._before:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        again = self.last == signal.SIGINT and number == signal.SIGINT
        if self._insists or again:
            raise KeyboardInterrupt
        self.last = number
        self._stop()


def serve(server: Server, duties: Duties) -> int:
    """Serve until SIGTERM or Ctrl-C, then let running requests finish; a second Ctrl-C does not wait for them.

    Bottle's reloader interrupts the main thread as Ctrl-C does, when a file has changed: then the program is
    wanted anew at once, and KeyboardInterrupt is passed on when all is closed.

    Returns:
        0, as the servers do in whose place this one stands: being told to stop is no failure; 130, as shells have it,
        after a second Ctrl-C, which breaks requests off.

    Raises:
        KeyboardInterrupt: under Bottle's reloader.
    """
    reloading, grace = "BOTTLE_CHILD" in os.environ, server.options.grace
    asked: queue.SimpleQueue[None] = queue.SimpleQueue()
    given_up = threading.Event()
    with StopSignals(lambda: asked.put(None)) as signals:

        def stop_when_asked() -> None:
            # Not in the main thread, which may be in a request.
            asked.get()
            hasty = reloading and signals.last == signal.SIGINT
            finished = False
            try:
                finished = stop(server, duties, min(RELOAD_GRACE, grace) if hasty else grace)
            finally:
                if finished:
                    server.work.wake()
                else:
                    given_up.set()
                    signals.insist()

        threading.Thread(target=stop_when_asked, name="tlsrun-stop", daemon=True).start()
        start(server, duties)
        try:
            server.work.attend()
        except KeyboardInterrupt:
            if not given_up.is_set():
                stop(server, duties, 0)
                return 130
    if reloading and signals.last == signal.SIGINT:
        raise KeyboardInterrupt
    return 0


def start(server: Server, duties: Duties) -> None:
    """Begin to accept, and what else a serving process does."""
    server.start()
    duties.start()
    notify(READY)


def stop(server: Server, duties: Duties, grace: float) -> bool:
    """End both: first what lets new clients in.

    Arguments:
        grace: seconds for running requests to finish.

    Returns:
        whether they did.
    """
    notify(STOPPING)
    server.close()
    duties.stop()
    return server.finish(grace)

"""The thread that runs the application: the connection's own, one of a few, or only the main thread."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from tlsrun.connections.presence import has_waited
from tlsrun.servers.builtin.reader import ClientGone

if TYPE_CHECKING:
    from concurrent.futures import Future

Result = TypeVar("Result")
_Item: TypeAlias = "tuple[Callable[[], Any], Future[Any]]"

_LOOK = 0.5  # seconds after which a signal is noticed that did not interrupt a wait


class _NotHere(Exception):
    """The client seems to be gone when its request's turn comes."""


class WaitingClient(Protocol):
    """The client of a request that waits for its turn."""

    def result_of(self, done: Future[Result]) -> Result:
        """Wait until ``done`` is done; returns its result, or raises its exception."""

    def seems_here(self) -> bool:
        """Whether it seems to be connected; never waits."""

    def make_sure(self) -> None:
        """Find out whether it is connected; raises ClientGone if it is not."""


class Work:
    """Runs requests.

    Arguments:
        threads: how many requests run at a time; None for no limit, each in its connection's thread. With 1 they run in
            the thread that calls `attend`, the main thread, so that they can use objects that are bound to the thread
            in which they were created (sqlite3's connections).
    """

    def __init__(self, threads: int | None) -> None:
        self._threads = threads
        self._tasks: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._main: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()

    @property
    def limited(self) -> bool:
        """Whether requests wait for their turn."""
        return self._threads is not None

    @property
    def concurrent(self) -> bool:
        """Whether two requests may run at the same time."""
        return self._threads != 1

    def start(self) -> None:
        """Start the threads."""
        if self._threads is not None and self._threads > 1:
            for number in range(self._threads):
                threading.Thread(target=self._serve, name=f"tlsrun-work-{number}", daemon=True).start()

    def run(self, task: Callable[[], Result], client: WaitingClient) -> Result:
        """Call ``task`` when its turn comes, and wait for it; only if `limited`.

        Raises:
            ClientGone: the client has gone while its request waited; ``task`` was not called.
        """
        try:
            return self._queue(task, client, sure=False)
        except _NotHere:
            # In the connection's own thread, so that no other request waits for this.
            client.make_sure()
        return self._queue(task, client, sure=True)

    def _queue(self, task: Callable[[], Result], client: WaitingClient, *, sure: bool) -> Result:
        from concurrent.futures import Future  # late: usually each connection's thread runs its requests

        since = time.monotonic()

        def turn() -> Result:
            if not sure and has_waited(since) and not client.seems_here():
                raise _NotHere
            return task()

        done: Future[Result] = Future()
        (self._tasks if self.concurrent else self._main).put((turn, done))
        return client.result_of(done)

    def attend(self) -> None:
        """Run the requests of the calling thread until `wake` is called."""
        while True:
            try:
                # With a time-out: _thread.interrupt_main(), which Bottle's reloader calls, does not end a wait.
                item = self._main.get(timeout=_LOOK)
            except queue.Empty:
                continue
            if item is None:
                return
            _do(*item)

    def wake(self) -> None:
        """Let `attend` return after the requests that are queued."""
        self._main.put(None)

    def _serve(self) -> None:
        while True:
            _do(*self._tasks.get())


def _do(task: Callable[[], Any], done: Future[Any]) -> None:
    try:
        result = task()
    except Exception as error:  # noqa: BLE001 -- passed on to the connection's thread
        done.set_exception(error)
    except BaseException:
        # A second Ctrl-C in the main thread ends its work, and this connection.
        done.set_exception(ClientGone("the server was interrupted"))
        raise
    else:
        done.set_result(result)

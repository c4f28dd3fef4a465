"""Which thread runs the application: each connection's own, one of a few, or the main thread alone."""

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

_LOOK = 0.5  # seconds after which a signal that ended no wait is noticed


class _NotHere(Exception):
    """The client of a request does not seem to be there any more, now that its turn has come."""


class WaitingClient(Protocol):
    """Of a request that waits for its turn."""

    def result_of(self, done: Future[Result]) -> Result:
        """Wait until it is done; returns, or raises, what came of it."""

    def seems_here(self) -> bool:
        """Whether nothing speaks against it; never waits."""

    def make_sure(self) -> None:
        """It does not seem so: ask. Raises ClientGone if it has gone."""


class Work:
    """Runs requests.

    Arguments:
        threads: how many requests at a time; None for no limit, each in its connection's thread. With 1 they run in
            the thread that calls `attend`, which is the main one: objects that are bound to the thread in which they
            were made (sqlite3's connections) can be used in them.
    """

    def __init__(self, threads: int | None) -> None:
        self._threads = threads
        self._tasks: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._main: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()

    @property
    def limited(self) -> bool:
        """Whether requests have to wait for their turn."""
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
        """Call ``task`` in its turn, and wait for it; where the threads are `limited`.

        Raises:
            ClientGone: the client has gone while its request waited for its turn; nothing was called.
        """
        try:
            return self._queue(task, client, sure=False)
        except _NotHere:
            # In the connection's own thread: nobody waits for the answer.
            client.make_sure()
        return self._queue(task, client, sure=True)

    def _queue(self, task: Callable[[], Result], client: WaitingClient, *, sure: bool) -> Result:
        from concurrent.futures import Future  # late: mostly each connection's thread runs its requests

        since = time.monotonic()

        def turn() -> Result:
            if not sure and has_waited(since) and not client.seems_here():
                raise _NotHere
            return task()

        done: Future[Result] = Future()
        (self._tasks if self.concurrent else self._main).put((turn, done))
        return client.result_of(done)

    def attend(self) -> None:
        """Do what is the calling thread's, until `wake` is called."""
        while True:
            try:
                # Not for ever: _thread.interrupt_main(), by which Bottle's reloader calls, ends no wait.
                item = self._main.get(timeout=_LOOK)
            except queue.Empty:
                continue
            if item is None:
                return
            _do(*item)

    def wake(self) -> None:
        """Let `attend` return, after what it was given before."""
        self._main.put(None)

    def _serve(self) -> None:
        while True:
            _do(*self._tasks.get())


def _do(task: Callable[[], Any], done: Future[Any]) -> None:
    try:
        result = task()
    except Exception as error:  # noqa: BLE001 -- it belongs to the connection's thread, which waits for it
        done.set_exception(error)
    except BaseException:
        # A second Ctrl-C, in the main thread: it ends this thread's work, and the connection as a lost one.
        done.set_exception(ClientGone("the server was interrupted"))
        raise
    else:
        done.set_result(result)

"""Which thread runs the application: each connection's own, one of a few, or the main thread alone."""

from __future__ import annotations

import functools
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from tlsrun.servers.builtin.reader import ClientGone
from tlsrun.tls.presence import has_waited

if TYPE_CHECKING:
    from concurrent.futures import Future

_Argument = TypeVar("_Argument")
_Task: TypeAlias = Callable[[], "bool | None"]

_LOOK = 0.5  # seconds after which a signal that ended no wait is noticed


class Client(Protocol):
    """Of a request that has waited for its turn."""

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
        self._tasks: queue.SimpleQueue[tuple[_Task, Future[bool | None]]] = queue.SimpleQueue()
        self._main: queue.SimpleQueue[tuple[_Task, Future[bool | None]] | None] = queue.SimpleQueue()

    @property
    def concurrent(self) -> bool:
        """Whether two requests may run at the same time."""
        return self._threads != 1

    def start(self) -> None:
        """Start the threads."""
        if self._threads is not None and self._threads > 1:
            for number in range(self._threads):
                threading.Thread(target=self._serve, name=f"tlsrun-work-{number}", daemon=True).start()

    def run(self, function: Callable[[_Argument], bool], argument: _Argument, client: Client) -> bool:
        """Call ``function`` where it belongs, and wait for it.

        Raises:
            ClientGone: the client has gone while its request waited for its turn; nothing was called.
        """
        if self._threads is None:
            return function(argument)
        asked = False
        while (result := self._queue(functools.partial(function, argument), None if asked else client)) is None:
            # In the connection's own thread: nobody waits for the answer.
            client.make_sure()
            asked = True
        return result

    def _queue(self, task: Callable[[], bool], client: Client | None) -> bool | None:
        """Call ``task`` in its turn; None when its ``client`` does not seem to be there any more then."""
        from concurrent.futures import Future  # late: mostly each connection's thread runs its requests

        since = time.monotonic()

        def turn() -> bool | None:
            return None if client is not None and has_waited(since) and not client.seems_here() else task()

        done: Future[bool | None] = Future()
        (self._tasks if self.concurrent else self._main).put((turn, done))
        return done.result()

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


def _do(task: _Task, done: Future[bool | None]) -> None:
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

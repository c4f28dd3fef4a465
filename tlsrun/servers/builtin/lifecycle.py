"""From start to stop: signals, the main thread's part, and the end that lets running requests finish.

At a reload (SIGHUP) this one process has to end what it does before it can be executed anew. Until then it accepts, and
tells who is answered to come anew; then who comes waits in the sockets, which stay open, for the time of an import.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import threading
from collections.abc import Sequence

from tlsrun.listening.notify import STOPPING, notify, serves
from tlsrun.reloading.predecessors import Predecessors
from tlsrun.reloading.reload import LOOK, Reload
from tlsrun.servers.builtin.server import BuiltinServer
from tlsrun.servers.builtin.signals import RELOAD, HeardSignals
from tlsrun.servers.duties import Duties
from tlsrun.started import BOTTLE_CHILD

#: Seconds that running requests get when a reloader starts the program anew: a person is waiting for it.
RELOAD_GRACE = 1.0

#: Seconds that clients of kept connections get at a reload to send what they have on its way.
_LINGER = 1.0
#: Seconds that new clients get at a reload to say what they want: they are promised an answer.
_ARRIVING = 2.0

_HEARING = 0.05  # seconds in which the thread that listens for signals hears of one

_INTERRUPTED = 130  # as shells have it: 128 and the number of SIGINT


def serve(
    server: BuiltinServer,
    duties: Duties,
    sockets: Sequence[socket.socket] = (),
    predecessors: Predecessors | None = None,
) -> int:
    """Serve until SIGTERM or Ctrl-C, then let running requests finish; a second Ctrl-C does not wait for them.

    Arguments:
        sockets: what the program that a reload executes anew is to have.
        predecessors: the processes of another server, in whose place this one serves; None for none.

    Bottle's reloader interrupts the main thread as Ctrl-C does, when a file has changed: then the program is
    wanted anew at once, and KeyboardInterrupt is passed on when all is closed.

    Returns:
        0, as the servers do in whose place this one stands: being told to stop is no failure; 130, as shells have it,
        after a second Ctrl-C, which breaks requests off.

    Raises:
        KeyboardInterrupt: under Bottle's reloader.
    """
    reloading = BOTTLE_CHILD in os.environ
    predecessors = predecessors or Predecessors(())
    if predecessors.living:
        predecessors.retire()
        threading.Thread(target=predecessors.see_off, name="tlsrun-predecessors", daemon=True).start()
    with HeardSignals(reload=not reloading) as signals:
        end = _End(server, duties, signals, sockets, RELOAD_GRACE if reloading else None, predecessors)
        threading.Thread(target=end.listen, name="tlsrun-signals", daemon=True).start()
        interrupted = False
        try:
            start(server, duties)
            server.work.attend()
            signals.spare()  # within: it may be interrupted before
        except KeyboardInterrupt:
            signals.spare()
            interrupted = True
        if (interrupted or end.hurried) and not end.over:
            stop(server, duties, 0)
            predecessors.kill()
            return _INTERRUPTED
        if end.anew:
            # As at every end of a program; exec(2) does none of it.
            atexit._run_exitfuncs()
            end.reload.execute(old=predecessors.living)
            return 0 if end.last is not None else 1
    if reloading and end.last == signal.SIGINT:
        raise KeyboardInterrupt
    return _INTERRUPTED if end.hurried else 0


class _End:
    """The end of a server, in threads of its own: the main thread may be in a request.

    Arguments:
        sockets: for the program that a reload executes anew.
        after_interrupt: seconds that running requests get when SIGINT came first, at most; None for no such limit.
        predecessors: who end with this server.

    Attributes:
        last: the signal that came last; None before one came.
        hurried: whether somebody pressed Ctrl-C twice.
        over: whether running requests have had their time.
        anew: whether the program is to be executed anew, by the main thread.
        reload: what does it.
    """

    def __init__(
        self,
        server: BuiltinServer,
        duties: Duties,
        signals: HeardSignals,
        sockets: Sequence[socket.socket],
        after_interrupt: float | None,
        predecessors: Predecessors,
    ) -> None:
        self._server = server
        self._duties = duties
        self._signals = signals
        self._after_interrupt = after_interrupt
        self._predecessors = predecessors
        self.last: int | None = None
        self.hurried = self.over = self.anew = False
        self.reload = Reload(lambda: sockets, otherwise=duties.reload, waits=self._is_asked_to_stop)
        self._reloading: threading.Thread | None = None

    def listen(self) -> None:
        """Begin the end at the first signal; hurry at a second SIGINT."""
        while (number := self._signals.next()) is not None:
            if number == RELOAD:
                self._ask_for_reload()
                continue
            before, self.last = self.last, number
            if before is None:
                threading.Thread(target=self._stop, args=(number,), name="tlsrun-stop", daemon=True).start()
            elif before == number == signal.SIGINT and not self.over:
                self.hurried = True
                self._leave()
                self._signals.forget()

    def _is_asked_to_stop(self) -> bool:
        # Signals are held back now; what came just before has still to be heard by the other thread.
        threading.Event().wait(_HEARING)
        return self.last is not None

    def _ask_for_reload(self) -> None:
        self.reload.ask()
        if self.last is None and (self._reloading is None or not self._reloading.is_alive()):
            self._reloading = threading.Thread(target=self._reload, name="tlsrun-reload", daemon=True)
            self._reloading.start()

    def _reload(self) -> None:
        tick = threading.Event()
        while self.last is None and not self.reload.step():
            if not self.reload.is_trying and not self.reload.asked:
                return
            tick.wait(LOOK)
        if self.last is not None:
            self.reload.stop()
            return
        self._server.make_way(_LINGER)
        if self.last is None:
            self._duties.stop()
            self._server.finish(self._server.options.grace, fresh=_ARRIVING)
            self.anew = self.last is None
            self._server.work.wake()

    def _stop(self, number: int) -> None:
        if self._reloading is not None:
            self._reloading.join()
        grace = self._server.options.grace
        if self._after_interrupt is not None and number == signal.SIGINT:
            grace = min(grace, self._after_interrupt)
        finished = False
        self._predecessors.hurry(grace)
        try:
            finished = stop(self._server, self._duties, grace)
            self._predecessors.see_off(grace)
            self._predecessors.kill()
        finally:
            self.over = True
            if finished:
                self._server.work.wake()
            else:
                self._leave()

    def _leave(self) -> None:
        # An application that catches everything goes on after an interrupt: then the main thread finds the end.
        self._server.work.wake()
        self._signals.interrupt()


def start(server: BuiltinServer, duties: Duties) -> None:
    """Begin to accept, and what else a serving process does."""
    server.start()
    duties.start()
    serves()


def stop(server: BuiltinServer, duties: Duties, grace: float) -> bool:
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

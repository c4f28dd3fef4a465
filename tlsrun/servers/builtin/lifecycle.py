"""From start to stop: signals, the main thread, and a graceful end of running requests.

At a reload (SIGHUP) this single process must finish before it can be executed again. Until then it accepts connections,
and closes each after its response; afterwards new connections wait in the backlog of the sockets, which stay open,
while the new program is imported.
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
from tlsrun.servers.background import BackgroundServices
from tlsrun.servers.builtin.server import BuiltinServer
from tlsrun.servers.builtin.signals import RELOAD, HeardSignals
from tlsrun.started import BOTTLE_CHILD

#: Seconds for running requests when a reloader restarts the program, since a developer is waiting.
RELOAD_GRACE = 1.0

#: Seconds at a reload for clients on kept connections to send a request that is already on its way.
_LINGER = 1.0
#: Seconds at a reload for new clients to send their request: accepted connections must be answered.
_ARRIVING = 2.0

_HEARING = 0.05  # seconds within which the signal thread notices a signal

_INTERRUPTED = 130  # as in shells: 128 plus the number of SIGINT


def serve(
    server: BuiltinServer,
    background: BackgroundServices,
    sockets: Sequence[socket.socket] = (),
    predecessors: Predecessors | None = None,
) -> int:
    """Serve until SIGTERM or Ctrl-C, then let running requests finish; a second Ctrl-C does not wait for them.

    Arguments:
        sockets: the sockets to hand over at a reload.
        predecessors: the old processes that this one replaces; None for none.

    Bottle's reloader interrupts the main thread like Ctrl-C when a file has changed: then the program must restart at
    once, and KeyboardInterrupt is passed on when everything is closed.

    Returns:
        0 after a requested stop; 130 after a second Ctrl-C, which breaks requests off.

    Raises:
        KeyboardInterrupt: under Bottle's reloader.
    """
    reloading = BOTTLE_CHILD in os.environ
    predecessors = predecessors or Predecessors(())
    if predecessors.living:
        predecessors.retire()
        threading.Thread(target=predecessors.see_off, name="tlsrun-predecessors", daemon=True).start()
    with HeardSignals(reload=not reloading) as signals:
        end = _End(server, background, signals, sockets, RELOAD_GRACE if reloading else None, predecessors)
        threading.Thread(target=end.listen, name="tlsrun-signals", daemon=True).start()
        interrupted = False
        try:
            start(server, background)
            server.work.attend()
            signals.spare()  # inside the try block: the interrupt may come before it
        except KeyboardInterrupt:
            signals.spare()
            interrupted = True
        if (interrupted or end.hurried) and not end.over:
            stop(server, background, 0)
            predecessors.kill()
            return _INTERRUPTED
        if end.anew:
            # As at the end of every program; exec(2) would skip it.
            atexit._run_exitfuncs()
            end.reload.execute(old=predecessors.living)
            return 0 if end.last is not None else 1
    if reloading and end.last == signal.SIGINT:
        raise KeyboardInterrupt
    return _INTERRUPTED if end.hurried else 0


class _End:
    """The stop or reload of a server, in threads of its own, since the main thread may be busy with a request.

    Arguments:
        sockets: the sockets to hand over at a reload.
        after_interrupt: the most seconds for running requests if SIGINT came first; None for no such limit.
        predecessors: old processes, which stop with this server.

    Attributes:
        last: the last signal; None before the first.
        hurried: whether Ctrl-C was pressed twice.
        over: whether the time for running requests is up.
        anew: whether the main thread is to execute the program again.
        reload: the reload.
    """

    def __init__(
        self,
        server: BuiltinServer,
        background: BackgroundServices,
        signals: HeardSignals,
        sockets: Sequence[socket.socket],
        after_interrupt: float | None,
        predecessors: Predecessors,
    ) -> None:
        self._server = server
        self._background = background
        self._signals = signals
        self._after_interrupt = after_interrupt
        self._predecessors = predecessors
        self.last: int | None = None
        self.hurried = self.over = self.anew = False
        self.reload = Reload(lambda: sockets, otherwise=background.reload, waits=self._is_asked_to_stop)
        self._reloading: threading.Thread | None = None

    def listen(self) -> None:
        """Stop at the first signal, and at once at a second SIGINT."""
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
        # Signals are blocked now; the other thread may still have to notice one that came just before.
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
            self._background.stop()
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
            finished = stop(self._server, self._background, grace)
            self._predecessors.see_off(grace)
            self._predecessors.kill()
        finally:
            self.over = True
            if finished:
                self._server.work.wake()
            else:
                self._leave()

    def _leave(self) -> None:
        # An application that catches everything continues after an interrupt; the main thread notices the end later.
        self._server.work.wake()
        self._signals.interrupt()


def start(server: BuiltinServer, background: BackgroundServices) -> None:
    """Start accepting, and the background services of a serving process."""
    server.start()
    background.start()
    serves()


def stop(server: BuiltinServer, background: BackgroundServices, grace: float) -> bool:
    """Stop both; new connections first.

    Arguments:
        grace: seconds for running requests to finish.

    Returns:
        whether all have finished.
    """
    notify(STOPPING)
    server.close()
    background.stop()
    return server.finish(grace)

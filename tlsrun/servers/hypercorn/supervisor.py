"""The supervisor: forks workers that share everything, replaces those that die or have had enough, passes signals on.

A worker that has answered ``max_requests`` asks for another one, and goes on until that one serves; then it leaves the
sockets to it, and sees its clients off. So a number of the workers may be two processes for a while, each in a seat of
its own::

    SERVING ──ENOUGH──► the heir starts ──READY──► LEAVE ──► the clients have gone, or their time is over ──► exit

No thread and no event loop runs in it, because it forks. (Hypercorn's own starts new interpreters, which import the
application again.)
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING

from tlsrun import deferred_signals
from tlsrun.handover import Old
from tlsrun.listening.notify import STOPPING, Watchdog, notify, serves
from tlsrun.reloading.predecessors import Predecessors
from tlsrun.reloading.reload import LOOK, Reload
from tlsrun.servers.hypercorn.child import HANDLED, LEAVE, Child

if TYPE_CHECKING:
    from tlsrun.servers.hypercorn.post import DatagramForwarder

_log = logging.getLogger("tlsrun.hypercorn")

_TICK = 1.0  # seconds between two looks at the workers
_PAUSE = 1.0  # seconds after its birth before a worker is replaced
#: Processes that may be one worker at a time: it, and its heir or predecessor.
SEATS = 2
_MERCY = 5.0  # seconds that a worker has beyond its requests' grace


class Supervisor:
    """Runs the workers until told to stop.

    Arguments:
        run: what the worker in a seat does; the seat is its number (from 0), or that and ``workers``.
        workers: how many.
        grace: seconds that requests have to finish at a stop.
        sockets: what the program that a reload executes anew is to have.
        post: what it is to have of the workers' post; None without one.
        reload: called for SIGHUP where that cannot be, before the workers hear of it: reads the certificates.
        ready: called when every worker serves.
        leave: called at a stop, before the workers hear of it.
        held: signals that a worker is not to get before it has handlers for them.
    """

    def __init__(
        self,
        run: Callable[[int, socket.socket], None],
        *,
        workers: int,
        grace: float,
        sockets: Sequence[socket.socket],
        post: DatagramForwarder | None = None,
        reload: Callable[[], object],
        ready: Callable[[], object],
        leave: Callable[[], object],
        held: tuple[signal.Signals, ...],
    ) -> None:
        self._run = run
        self._number = workers
        self._grace = grace
        self._reload_certificates = reload
        self._reload = Reload(lambda: sockets, otherwise=self._reload_as_it_is, waits=lambda: self._stops > 0)
        self._post = post
        self._predecessors = Predecessors()
        self._ready = ready
        self._watchdog = Watchdog()
        self._leave = leave
        self._held = held
        self._children: list[Child] = []
        self._heirs: dict[int, Child] = {}  # by number
        self._leaving: list[Child] = []
        self._stops = 0
        self._inbox, self._outbox = os.pipe()
        os.set_blocking(self._outbox, False)
        os.set_blocking(self._inbox, False)

    def serve(self) -> int:
        """Until SIGTERM or SIGINT; requests in flight finish, unless a second one comes.

        Returns:
            0; 1 when a worker could not be started.
        """
        before = {number: signal.getsignal(number) for number in HANDLED}
        wakeup = signal.set_wakeup_fd(self._outbox, warn_on_full_buffer=False)
        for number in HANDLED:
            signal.signal(number, self._handle)
        deferred_signals.deliver()
        try:
            if not self._start():
                return 1
            self._predecessors.retire()
            self._ready()
            serves()
            while not self._stops:
                self._wait(LOOK if self._reload.is_trying else self._watchdog.within(_TICK))
                self._watchdog.feed()
                self._predecessors.look()
                if self._reload.step():
                    self._execute_anew()
                self._replace_the_dead()
                self._relieve_the_weary()
            return 0
        finally:
            self._stop()
            signal.set_wakeup_fd(wakeup)
            for handled, handler in before.items():
                signal.signal(handled, handler if handler is not None else signal.SIG_DFL)
            os.close(self._inbox)
            os.close(self._outbox)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reload.ask()
        elif number != signal.SIGCHLD:
            self._stops += 1

    def _start(self) -> bool:
        for number in range(self._number):
            child = self._spawn(number)
            self._children.append(child)
            if not child.is_ready() and not self._stops:
                _log.error("worker %d did not start", number + 1)
                return False
        return True

    def _spawn(self, seat: int) -> Child:
        links = [child.link for child in self._everybody() if child.link.fileno() >= 0]

        def run(link: socket.socket) -> None:
            self._predecessors.forget()
            self._run(seat, link)

        return Child(seat, run, links, self._held)

    def _everybody(self) -> list[Child]:
        return [*self._children, *self._heirs.values(), *self._leaving]

    def _wait(self, seconds: float) -> None:
        """Until a signal comes, a worker says something, or ``seconds`` are over."""
        speaking = (child for child in self._everybody() if child.listens and not child.has_enough)
        links = {child.link.fileno(): child for child in speaking}
        found = select.select([self._inbox, *links], [], [], seconds)[0]
        for descriptor in found:
            if descriptor in links:
                links[descriptor].hear()
        if self._inbox in found:
            with contextlib.suppress(BlockingIOError):
                os.read(self._inbox, 4096)

    def _execute_anew(self) -> None:
        state = {} if self._post is None else {"post": self._post.state}
        lent = [] if self._post is None else self._post.descriptors
        self._reload.execute(old=self._old(), state=state, lent=lent)

    def _old(self) -> list[Old]:
        """Those who serve on until the program that is executed anew does; they end with its process at the latest."""
        patience, word = self._grace + _MERCY, LEAVE.decode()
        alive = [child for child in self._everybody() if child.is_alive()]
        workers = [Old(pid=one.pid, link=one.link.fileno(), word=word, patience=patience) for one in alive]
        return [*self._predecessors.living, *workers]

    def _reload_as_it_is(self) -> None:
        self._reload_certificates()
        for child in self._everybody():
            child.signal(signal.SIGHUP)

    def _replace_the_dead(self) -> None:
        for number, child in enumerate(self._children):
            if self._stops or child.is_alive() or time.monotonic() - child.birth < _PAUSE:
                continue
            if child.status:
                _log.error("worker %d ended unexpectedly (%s); another one is started", number + 1, child.status)
            child.bury()
            heir = self._heirs.pop(number, None)
            self._children[number] = heir or self._spawn(child.seat)
        for child in [child for child in self._leaving if not child.is_alive()]:
            child.bury()
            self._leaving.remove(child)

    def _relieve_the_weary(self) -> None:
        """Let others take the place of workers that have had enough."""
        for number, child in enumerate(self._children):
            heir = self._heirs.get(number)
            if heir is None:
                if child.has_enough and not self._stops and time.monotonic() - child.birth > _PAUSE:
                    self._name_heir(number)
            elif heir.ready:
                child.dismiss()
                self._leaving.append(child)
                self._children[number] = self._heirs.pop(number)
            elif not heir.is_alive():
                _log.error("worker %d did not start; the one before it goes on", number + 1)
                self._heirs.pop(number).bury()

    def _name_heir(self, number: int) -> None:
        seat = self._free_seat(number)
        if seat is not None:
            self._heirs[number] = self._spawn(seat)
            return
        for child in self._leaving:  # the one before it still has clients
            if child.seat % self._number == number:
                child.signal(signal.SIGTERM)

    def _free_seat(self, number: int) -> int | None:
        taken = {child.seat for child in self._everybody() if child.status is None}
        return next((seat for seat in range(number, SEATS * self._number, self._number) if seat not in taken), None)

    def _stop(self) -> None:
        """Tell every worker to stop, wait, and end those that do not in time."""
        notify(STOPPING)
        asked, deadline = self._stops, time.monotonic() + self._grace + _MERCY
        self._leave()
        self._reload.stop()
        self._predecessors.hurry(self._grace + _MERCY)
        for child in self._everybody():
            child.signal(signal.SIGTERM)
        while any([child.is_alive() for child in self._everybody()]) or self._predecessors.living:
            self._predecessors.look()
            if time.monotonic() > deadline or self._stops > max(asked, 1):
                for child in self._everybody():
                    child.signal(signal.SIGKILL)
                self._predecessors.kill()
            self._wait(0.1)
        for child in self._everybody():
            child.bury()
        self._children.clear()
        self._heirs.clear()
        self._leaving.clear()

"""The supervisor: carries out what `decide.py` decides, in the process from which the workers are forked.

It runs no threads and no event loop, because it forks. It never blocks on a single worker, so that at any time it
handles signals, pings systemd's watchdog, and restarts workers that die.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Iterator
from types import FrameType

from tlsrun import deferred_signals
from tlsrun.forking.decide import Action, Do, Rules, Seen, Stage, decide
from tlsrun.forking.server import ForkingServer
from tlsrun.forking.worker import HANDLED, LEAVE, Closing, WorkerProcess
from tlsrun.handover import Old
from tlsrun.listening.notify import STOPPING, Watchdog, notify, serves
from tlsrun.reloading.predecessors import Predecessors
from tlsrun.reloading.reload import LOOK, Reload

_TICK = 1.0  # maximum seconds between checks
_STOP_TICK = 0.1  # the same, during a stop
_RETRY = 30.0  # seconds before the next attempt, after a replacement has failed


class Supervisor:
    """Runs a server's workers until told to stop."""

    def __init__(self, server: ForkingServer) -> None:
        self._server = server
        self._rules = Rules(workers=server.workers, slots=server.slots, respawns=server.respawns)
        self._reload = Reload(server.sockets, otherwise=self._reread, waits=lambda: self._stops > 0)
        self._predecessors = Predecessors()
        self._watchdog = Watchdog()
        self._workers: dict[int, WorkerProcess] = {}  # by slot, oldest first
        self._stage = Stage.STARTING
        self._stops = 0
        self._failed = False
        self._replaces_at = 0.0

    def serve(self) -> int:
        """Serve until SIGTERM or SIGINT; requests in flight finish, unless a second signal comes.

        Returns:
            exit status: 0; 1 if a worker did not start, or died and ``respawns`` is off.
        """
        with self._hearing():
            try:
                while not self._stops and not self._failed:
                    self._turn()
            finally:
                self._stop()
        return int(self._failed)

    @contextlib.contextmanager
    def _hearing(self) -> Iterator[None]:
        """Handle signals; each also wakes `_wait`, through a pipe (signal.set_wakeup_fd)."""
        before = {number: signal.getsignal(number) for number in HANDLED}
        reading, writing = os.pipe()
        self._alarm = (open(reading, "rb", buffering=0), open(writing, "wb", buffering=0))  # noqa: SIM115
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in HANDLED:
            signal.signal(number, self._handle)
        deferred_signals.deliver()
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for handled, handler in before.items():
                signal.signal(handled, handler if handler is not None else signal.SIG_DFL)
            for end in self._alarm:
                end.close()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reload.ask()
        elif number != signal.SIGCHLD:
            self._stops += 1

    # -- serving -------------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        self._predecessors.look()
        if self._stage is Stage.SERVING:
            self._watchdog.feed()
            if self._reload.step():
                self._execute_anew()
            self._server.look(self._staying())
        replaced = self._act(decide(self._stage, self._seen(), self._rules, may_replace=self._may_replace()))
        if self._stage is Stage.STARTING and len(self._workers) == self._server.workers and self._all_ready():
            self._serves()
        elif not replaced and not self._failed:
            self._wait(LOOK if self._reload.is_trying else self._watchdog.within(_TICK))

    def _serves(self) -> None:
        self._stage = Stage.SERVING
        self._server.serving()
        self._predecessors.retire()
        serves()

    def _all_ready(self) -> bool:
        return all(worker.ready for worker in self._workers.values())

    def _staying(self) -> list[WorkerProcess]:
        return [worker for worker in self._workers.values() if worker.leave_by is None]

    def _may_replace(self) -> bool:
        return time.monotonic() >= self._replaces_at

    def _seen(self) -> list[Seen]:
        now = time.monotonic()
        return [
            Seen(
                slot=worker.slot,
                age=now - worker.birth,
                alive=worker.status is None,
                ready=worker.ready,
                unwanted=worker.wants_replacing or self._server.is_outdated(worker),
                leaving=worker.leave_by is not None,
                late=worker.leave_by is not None and now > worker.leave_by,
            )
            for worker in self._workers.values()
        ]

    # -- doing what is decided -----------------------------------------------------------------------------------------

    def _act(self, actions: list[Action]) -> bool:
        """Carry out ``actions``; returns whether a replacement was completed, so that the next one may begin."""
        for do, slot in actions:
            self._do(do, slot)
        return any(do is Do.DISMISS for do, _ in actions)

    def _do(self, do: Do, slot: int) -> None:
        server, log, name = self._server, self._server.log, f"worker-{slot % self._server.workers + 1}"
        if do in (Do.START, Do.REPLACE):
            if do is Do.REPLACE:
                log.info("Respawning %s", name)
            self._spawn(slot, name)
            return
        worker = self._workers[slot]
        if do is Do.DISMISS:
            worker.dismiss(server.grace if worker.wants_replacing else server.patience)
        elif do is Do.HURRY:
            worker.signal(signal.SIGTERM)
        elif do is Do.KILL_UNREADY:
            log.error("%s does not serve, long after its start; it is killed", name)
            worker.signal(signal.SIGKILL)
        elif do is Do.KILL_LATE:
            log.warning("Killing %s: its requests have not finished", name)
            worker.signal(signal.SIGKILL)
        elif do is Do.BURY:
            self._bury(worker)
            log.info("Stopped %s", name)
        elif do is Do.BURY_DEAD:
            log.error("%s ended unexpectedly (%s); another one is started", name, worker.status)
            server.died()
            self._bury(worker)
        elif do is Do.GIVE_UP_REPLACING:
            log.error("The new %s did not start (%s); the one before it goes on", name, worker.status)
            self._replaces_at = time.monotonic() + _RETRY
            self._bury(worker)
        elif do is Do.FAIL:
            what = "ended unexpectedly" if worker.ready else "did not start"
            log.error("%s %s%s", name, what, "" if worker.status is None else f" ({worker.status})")
            self._failed = True

    def _spawn(self, slot: int, name: str) -> None:
        def run(slot: int, link: socket.socket) -> None:
            self._predecessors.forget()
            self._server.run(slot, link)

        foreign: list[Closing] = [*(worker.link for worker in self._workers.values()), *self._alarm]
        try:
            worker = WorkerProcess(slot, run, name=f"{self._server.name}-worker", foreign=foreign)
        except OSError as error:
            if self._stage is Stage.STARTING:
                raise
            self._server.log.error("%s cannot be started: %s", name, error.strerror or error)
            self._replaces_at = time.monotonic() + _RETRY
            return
        self._workers[slot] = worker
        self._server.log.info("Spawning %s with PID: %d", name, worker.pid)

    def _bury(self, worker: WorkerProcess) -> None:
        del self._workers[worker.slot]
        worker.bury()

    def _wait(self, seconds: float) -> None:
        """Wait for a signal or a message of a worker, for ``seconds`` at most."""
        poll = select.poll()
        alarm, _ = self._alarm
        poll.register(alarm, select.POLLIN)
        speaking = {worker.link.fileno(): worker for worker in self._workers.values() if worker.listens}
        for descriptor in speaking:
            poll.register(descriptor, select.POLLIN)
        for descriptor, _ in poll.poll(seconds * 1000):
            if descriptor in speaking:
                speaking[descriptor].hear()
            else:
                alarm.read(4096)

    # -- a reload ------------------------------------------------------------------------------------------------------

    def _execute_anew(self) -> None:
        handed = self._server.handed()
        self._reload.execute(old=self._old(), state=handed.state, lent=handed.lent, folders=handed.folders)

    def _old(self) -> list[Old]:
        """The workers that go on serving until the new program does; they end with its process at the latest."""
        alive = [worker for worker in self._workers.values() if worker.status is None]
        patience, word = self._server.patience, LEAVE.decode()
        workers = [Old(pid=one.pid, link=one.link.fileno(), word=word, patience=patience) for one in alive]
        return [*self._predecessors.living, *workers]

    def _reread(self) -> None:
        self._server.read_certificates()
        for worker in self._workers.values():
            worker.signal(signal.SIGHUP)

    # -- a stop --------------------------------------------------------------------------------------------------------

    def _stop(self) -> None:
        """Tell every worker to stop, wait, and kill those that do not stop in time."""
        notify(STOPPING)
        self._stage = Stage.STOPPING
        asked, deadline = self._stops, time.monotonic() + self._server.grace
        self._server.leave()
        self._reload.stop()
        self._predecessors.hurry(self._server.grace)
        for worker in self._workers.values():
            worker.signal(signal.SIGTERM)
        while self._workers or self._predecessors.living:
            if self._stage is Stage.STOPPING and (time.monotonic() > deadline or self._stops > asked):
                self._stage = Stage.ENDING
                self._predecessors.kill()
            self._predecessors.look()
            self._act(decide(self._stage, self._seen(), self._rules))
            if self._workers or self._predecessors.living:
                self._wait(_STOP_TICK)

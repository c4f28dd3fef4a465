"""The supervisor: Granian's server of processes, with one shared socket, workers that are ready before others go,
and a loop that looks after the certificates; no thread runs in it, because it forks."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterable
from typing import Any

from granian.log import logger
from granian.server.common import build_env_loader
from granian.server.mp import ProcInfoCollector

from tlsrun import deferred_signals
from tlsrun.handover import Old
from tlsrun.listening.notify import STOPPING, Watchdog, notify, serves
from tlsrun.reloading.reload import LOOK, Reload
from tlsrun.servers.granian import pidfile
from tlsrun.servers.granian.worker import RETIRE, STOPS
from tlsrun.servers.granian.workforce import RETIREMENT, GranianWorkerConfig, Workforce

_TICK = 1.0  # seconds between two looks at certificates and workers
_PAUSE = 1.0  # seconds after its birth before a worker that died is replaced
_RETRY = 30.0  # seconds after which workers that could not be replaced are again
_GRACE = 30  # seconds that requests have to finish at a stop, unless workers_kill_timeout says otherwise


class Supervisor(Workforce):
    """Serves ``site``.

    Arguments:
        parameters: Granian's own, checked.
    """

    def __init__(self, site: GranianWorkerConfig, **parameters: Any) -> None:
        self._failed = False
        self._interrupts = 0
        self._rss_at = self._worn_at = time.monotonic()
        self._memory: Any = ProcInfoCollector()
        self._large: dict[int, int] = {}  # processes, and in how many looks in a row they were too large
        self._roll_at: float | None = None
        self._watchdog = Watchdog()
        self._anew = Reload(self._sockets, otherwise=self._reload_as_it_is, waits=lambda: bool(self.interrupt_signal))
        super().__init__(site, **parameters)

    # -- what Granian calls, in this order ---------------------------------------------------------------------

    def startup(self, spawn_target: Any, target_loader: Any) -> None:
        """Serve until told to stop. Nothing is left for Granian's own loop then, which comes next."""
        self.pid = os.getpid()
        logger.info(f"Starting granian (main PID: {self.pid})")
        if self.pid_file:
            pidfile.write(self.pid_file)
        self._wakes, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        for number in STOPS:
            signal.signal(number, self.signal_handler_interrupt)
        signal.signal(signal.SIGHUP, self.signal_handler_reload)
        if self.metrics:
            self.metrics.receive()
        logger.info(f"Listening at: https://{self._site.words}")
        build_env_loader()(self.env_files)
        self._begin_workers()
        if self.metrics:
            self.metrics.export()
        self._look_after_all()
        self.main_loop_interrupt.set()

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        """SIGTERM, SIGINT; the second one ends requests too."""
        self._interrupts += 1
        self.interrupt_signal = True
        self._wake_up()

    def signal_handler_reload(self, *args: Any, **kwargs: Any) -> None:
        """SIGHUP: a reload."""
        self._anew.ask()
        self._wake_up()

    def _wake_up(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake, b"w")

    def _begin_workers(self) -> None:
        for number in range(self.workers):
            worker = self.spawn(number)
            self.wrks.append(worker)
            if not worker.is_ready():
                logger.error(f"worker-{number + 1} did not start")
                self._failed = self.interrupt_signal = True
                return
        if self.metrics:
            self.metrics.counts.incr_spawn(self.workers)

    def _look_after_all(self) -> None:
        deferred_signals.deliver()
        if not self._failed:
            self.keeper.report()
            self._predecessors.retire()
            serves()
        while not self.interrupt_signal:
            self._wait(LOOK if self._anew.is_trying else self._watchdog.within(_TICK))
            self._watchdog.feed()
            self._reload_if_asked()
            self._reap()
            self._replace_the_dead()
            self._look_after_certificates()
            self._replace_the_old()

    def _end_workers(self) -> None:
        """Tell every worker to stop, wait, and end those that do not in time."""
        notify(STOPPING)
        self._site.leave()
        began, patience = time.monotonic(), self.workers_kill_timeout or _GRACE
        asked = self._interrupts
        self._anew.stop()
        self._predecessors.hurry(patience)
        for worker in self.family():
            worker.terminate()
        while any(worker.is_alive() for worker in self.family()) or self._predecessors.living:
            self._predecessors.look()
            if time.monotonic() - began > patience or self._interrupts > asked:
                logger.warning("Ending workers whose requests have not finished")
                for worker in self.family():
                    worker.kill()
                    worker.join()
                self._predecessors.kill()
            self._wait(0.1)
        for worker in self.family():
            self.bury(worker)
        self.wrks.clear()
        self._retired.clear()

    def abandon(self) -> None:
        """End workers that are left because something failed here; there are none after a `shutdown`."""
        for worker in self.family():
            if worker.is_alive():
                worker.kill()

    def shutdown(self, exit_code: int = 0) -> None:
        """Stop; a worker's failure is an exit code.

        Raises:
            SystemExit: with that code, if it is not 0.
        """
        logger.info("Shutting down granian")
        if self.metrics:
            self.metrics.stop_exporting()
        for listeners in self._site.listeners:
            for listener in listeners:
                listener.close()
        self._end_workers()
        if self.metrics:
            self.metrics.stop_receiving()
        if self.pid_file:
            pidfile.remove(self.pid_file)
        logger.info("Granian shutdown completed, see ya!")
        if code := exit_code or int(self._failed):
            sys.exit(code)

    # -- our loop ----------------------------------------------------------------------------------------------

    def _wait(self, seconds: float) -> None:
        """Until a signal comes, a worker ends, or ``seconds`` are over."""
        poll = select.poll()
        for descriptor in (self._wakes, *(worker.inner.sentinel for worker in self.family() if worker.is_alive())):
            poll.register(descriptor, select.POLLIN)
        ready = [descriptor for descriptor, _ in poll.poll(seconds * 1000)]
        if self._wakes in ready:
            os.read(self._wakes, 4096)

    def _reload_if_asked(self) -> None:
        if self._anew.step():
            self._anew.execute(old=self._old(), folders=[self.keeper.folder])

    def _sockets(self) -> Iterable[socket.socket]:
        listening = (sock for own in self._site.listeners for sock in own)
        return dict.fromkeys([*listening, *self._site.redirect])

    def _old(self) -> list[Old]:
        """Those who serve on until the program that is executed anew does; they end with its process at the latest."""
        patience, word = self.workers_kill_timeout or RETIREMENT, RETIRE.decode()
        workers = [
            Old(pid=worker.inner.pid, link=worker.link.fileno(), word=word, patience=patience)
            for worker in self.family()
            if worker.inner.pid is not None and worker.is_alive()
        ]
        return [*self._predecessors.living, *workers]

    def _reload_as_it_is(self) -> None:
        self.reload_signal = True

    def _reap(self) -> None:
        self._predecessors.look()
        now = time.monotonic()
        for worker, deadline in list(self._retired):
            if worker.is_alive() and now > deadline:
                logger.warning(f"Killing old worker-{worker.number + 1}: its requests have not finished")
                worker.kill()
            if not worker.is_alive():
                self._retired.remove((worker, deadline))
                self.bury(worker)

    def _replace_the_dead(self) -> None:
        for number, worker in enumerate(self.wrks):
            if worker.is_alive() or self.interrupt_signal:
                continue
            if not self.respawn_failed_workers:
                logger.error(f"Unexpected exit from worker-{number + 1}")
                self._failed = self.interrupt_signal = True
            elif time.monotonic() - worker.birth >= _PAUSE:
                logger.error(f"Unexpected exit from worker-{number + 1}, starting another")
                self.bury(worker)
                self.wrks[number] = self.spawn(number)
                if self.metrics:
                    self.metrics.counts.incr_respawn_err(1)

    def _look_after_certificates(self) -> None:
        keeper = self.keeper
        asked, self.reload_signal = self.reload_signal, False
        if asked:
            logger.info("HUP signal received, gracefully respawning workers..")  # as they are: see `_reload_as_it_is`
        if keeper.renew(at_once=asked) or asked:
            self._roll_at = time.monotonic()
        if self._roll_at is not None and time.monotonic() >= self._roll_at:
            done = self.replace(range(self.workers))
            self._roll_at = None if done else time.monotonic() + _RETRY
            if done:
                keeper.forget_others()
        keeper.report()

    def _replace_the_old(self) -> None:
        now = time.monotonic()
        if self.workers_lifetime is not None:
            old = [worker.number for worker in self.wrks if now - worker.birth >= self.workers_lifetime]
            self.replace(old)
        if self.workers_rss is not None and now - self._rss_at >= self.rss_sample_interval:
            self._rss_at = now
            self.replace(self._too_large())
        # Such a one may have requests that never end.
        worn_out = [worker.number for worker in self.wrks if worker.is_worn_out()]
        if now >= self._worn_at and not self.replace(worn_out, patience=_GRACE):
            self._worn_at = now + _RETRY

    def _too_large(self) -> list[int]:
        """Workers that have had more memory than they may in ``rss_samples`` looks in a row."""
        processes = {worker.inner.pid: worker.number for worker in self.wrks if worker.inner.pid is not None}
        found: dict[int, int] = self._memory.memory(list(processes))
        self._large = {pid: self._large.get(pid, 0) + 1 for pid, size in found.items() if size >= self.workers_rss}
        gone = [processes[pid] for pid, looks in self._large.items() if looks >= self.rss_samples]
        for number in gone:
            logger.info(f"worker-{number + 1} RSS over threshold, gracefully respawning..")
        return gone

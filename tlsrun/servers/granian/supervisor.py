"""The supervisor: Granian's server of processes, with one shared socket, workers that are ready before others go,
and a loop that looks after the certificates; no thread runs in it, because it forks."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Iterable
from typing import Any

from granian.log import logger

from tlsrun import held
from tlsrun.handover import Old
from tlsrun.listening.notify import READY, STOPPING, Watchdog, notify
from tlsrun.reloading.reload import LOOK, Reload
from tlsrun.servers.granian.worker import RETIRE
from tlsrun.servers.granian.workforce import RETIREMENT, Site, Workforce

_TICK = 1.0  # seconds between two looks at certificates and workers
_PAUSE = 1.0  # seconds after its birth before a worker that died is replaced
_RETRY = 30.0  # seconds after which workers that could not be replaced are again
_GRACE = 30  # seconds that requests have to finish at a stop, unless workers_kill_timeout says otherwise


class Supervisor(Workforce):
    """Serves ``site``.

    Arguments:
        parameters: Granian's own, checked.
    """

    def __init__(self, site: Site, **parameters: Any) -> None:
        self._failed = False
        self._interrupts = 0
        self._rss_at = self._worn_at = time.monotonic()
        self._roll_at: float | None = None
        self._watchdog = Watchdog()
        self._anew = Reload(self._sockets, otherwise=self._reload_as_it_is, waits=lambda: bool(self.interrupt_signal))
        super().__init__(site, **parameters)

    # -- Granian's hooks, in the order in which it calls them --------------------------------------------------

    def _init_shared_socket(self) -> None:
        """Ours is shared. Granian's workers have one each, and what waits at one is reset when its worker ends."""
        self._ssp = self._shd = self._sso = None
        self._wakes, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        """SIGTERM, SIGINT; the second one ends requests too."""
        self._interrupts += 1
        self.interrupt_signal = True
        self._wake_up()

    def signal_handler_reload(self, *args: Any, **kwargs: Any) -> None:
        """SIGHUP: a reload."""
        self._anew.ask()
        self._wake_up()

    @property
    def _bind_addr_fmt(self) -> str:
        return self._site.words

    def _wake_up(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake, b"w")

    def _spawn_workers(self, spawn_target: Any, target_loader: Any) -> None:
        for number in range(self.workers):
            worker = self._spawn(number)
            self.wrks.append(worker)
            if not worker.is_ready():
                logger.error(f"worker-{number + 1} did not start")
                self._failed = self.interrupt_signal = True
                return
        self._metrics.incr_spawn(self.workers)

    def _watch_workers_lifetime(self, ttl: float) -> None:
        """Granian starts a thread here."""

    def _watch_workers_rss(self) -> None:
        """And here."""

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        held.release()
        if not self._failed:
            self.keeper.report()
            self._predecessors.retire()
            notify(READY)
        while not self.interrupt_signal:
            self._wait(LOOK if self._anew.is_trying else self._watchdog.within(_TICK))
            self._watchdog.feed()
            self._reload_if_asked()
            self._reap()
            self._replace_the_dead()
            self._look_after_certificates()
            self._replace_the_old()

    def _drop_shared_socket(self) -> None:
        for listeners in self._site.listeners:
            for listener in listeners:
                listener.close()

    def _stop_workers(self) -> None:
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
            self._bury(worker)
        self.wrks.clear()
        self._retired.clear()

    def abandon(self) -> None:
        """End workers that are left because something failed here; there are none after a `shutdown`."""
        for worker in self.family():
            if worker.is_alive():
                worker.kill()

    def shutdown(self, exit_code: int = 0) -> None:
        """As Granian's; with the exit code 1 when a worker's failure is the reason."""
        super().shutdown(exit_code or int(self._failed))

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
            self._call_hooks(self.hooks_reload)
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
                logger.warning(f"Killing old worker-{worker.idx + 1}: its requests have not finished")
                worker.kill()
            if not worker.is_alive():
                self._retired.remove((worker, deadline))
                self._bury(worker)

    def _replace_the_dead(self) -> None:
        for number, worker in enumerate(self.wrks):
            if worker.is_alive() or self.interrupt_signal:
                continue
            if not self.respawn_failed_workers:
                logger.error(f"Unexpected exit from worker-{number + 1}")
                self._failed = self.interrupt_signal = True
            elif time.monotonic() - worker.birth >= _PAUSE:
                logger.error(f"Unexpected exit from worker-{number + 1}, starting another")
                self._bury(worker)
                self.wrks[number] = self._spawn(number)
                self._metrics.incr_respawn_err(1)

    def _look_after_certificates(self) -> None:
        keeper = self.keeper
        asked, self.reload_signal = self.reload_signal, False
        if asked:
            logger.info("HUP signal received, gracefully respawning workers..")  # as they are: see `_reload_as_it_is`
            self._call_hooks(self.hooks_reload)
        if keeper.renew(at_once=asked) or asked:
            self._roll_at = time.monotonic()
        if self._roll_at is not None and time.monotonic() >= self._roll_at:
            done = self._respawn_workers(range(self.workers))
            self._roll_at = None if done else time.monotonic() + _RETRY
            if done:
                keeper.forget_others()
        keeper.report()

    def _replace_the_old(self) -> None:
        now = time.monotonic()
        if self.workers_lifetime is not None:
            old = [worker.idx for worker in self.wrks if now - worker.birth >= self.workers_lifetime]
            self._respawn_workers(old)
        if self.workers_rss is not None and now - self._rss_at >= self.rss_sample_interval:
            self._rss_at = now
            self._handle_rss_signal(None, None)
        # Such a one may have requests that never end.
        worn_out = [worker.idx for worker in self.wrks if worker.is_worn_out()]
        if now >= self._worn_at and not self._respawn_workers(worn_out, patience=_GRACE):
            self._worn_at = now + _RETRY

"""What Granian's workers do, when another one takes the place of one, and what its supervisor does besides."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from granian.log import logger
from granian.server.common import build_env_loader
from granian.server.mp import ProcInfoCollector

from tlsrun.forking.server import ForkingServer, ReloadState
from tlsrun.forking.supervisor import Supervisor
from tlsrun.forking.worker import WorkerProcess
from tlsrun.servers.granian import pidfile, trial
from tlsrun.servers.granian.certificates import GranianCertificates
from tlsrun.servers.granian.metrics import Metrics
from tlsrun.servers.granian.parameters import Checked
from tlsrun.servers.granian.pem import PemFiles
from tlsrun.servers.granian.pool import Runtime
from tlsrun.servers.granian.worker import Task, run, start

#: Seconds that requests have at a stop, and in a worker that is no longer fit to serve: such a one may have requests
#: that never end. ``workers_kill_timeout`` says otherwise, for both.
_GRACE = 30
#: Seconds that they have in a worker which another has replaced.
_RETIREMENT = 3600


@dataclass(frozen=True, kw_only=True)
class GranianWorkerConfig:
    """What the workers share, from before the fork.

    Arguments:
        runtimes: makes our side of one of Granian's runtimes.
        listeners: for each worker, the sockets that it listens on.
        words: where that is, for Granian's log.
        redirect: those of the redirect port.
        begin, end: called in each worker, before it serves and when it has left the sockets.
        leave: called at a stop, before the workers hear of it.
    """

    runtimes: Callable[[], Runtime]
    listeners: tuple[tuple[socket.socket, ...], ...]
    words: str
    redirect: tuple[socket.socket, ...]
    begin: Callable[[], None]
    end: Callable[[], None]
    leave: Callable[[], None]


class Granian(ForkingServer):
    """Serves ``site``; see `tlsrun.forking.server.ForkingServer`.

    Arguments:
        parameters: Granian's own.

    Attributes:
        keeper: of the certificates; to be set before it serves.

    Raises:
        granian.errors.FatalError: Granian refuses them, which its log explains.
    """

    name = "granian"
    log = logger
    slots = sys.maxsize
    keeper: GranianCertificates

    def __init__(
        self, site: GranianWorkerConfig, *, ssl_protocol_min: Any, ssl_client_verify: bool, **parameters: Any
    ) -> None:
        self._tls = {"ssl_protocol_min": str(ssl_protocol_min), "ssl_client_verify": ssl_client_verify}
        self._site = site
        self._own: Any = Checked(**parameters)
        self.workers: int = self._own.workers
        self.grace: float = self._own.workers_kill_timeout or _GRACE
        self.patience: float = self._own.workers_kill_timeout or _RETIREMENT
        self.respawns: bool = self._own.respawn_failed_workers
        self._metrics: Metrics | None = None
        if self._own.metrics_enabled:
            self._metrics = Metrics(
                workers=self.workers, address=self._own.metrics_address, port=self._own.metrics_port
            )
        self._since = 0.0  # workers that are older have other certificates
        self._renewing = False
        self._memory: Any = ProcInfoCollector()
        self._measured_at = time.monotonic()
        self._large: dict[int, int] = {}  # processes, and in how many looks in a row they were too large

    def serve(self) -> int:
        """Until told to stop; see `Supervisor.serve`.

        Raises:
            granian.errors.FatalError: as the constructor.
        """
        return self._own.serve_by(self._serve)  # type: ignore[no-any-return]

    def _serve(self) -> int:
        own = self._own
        logger.info(f"Starting granian (main PID: {os.getpid()})")
        if own.pid_file:
            pidfile.write(own.pid_file)
        try:
            if self._metrics:
                self._metrics.receive()
            logger.info(f"Listening at: https://{self._site.words}")
            build_env_loader()(own.env_files)
            return Supervisor(self).serve()
        finally:
            if self._metrics:
                self._metrics.stop_receiving()
            if own.pid_file:
                pidfile.remove(own.pid_file)
            logger.info("Granian shutdown completed, see ya!")

    def objection_to(self, files: PemFiles) -> str | None:
        """Why Granian cannot serve these files; None when it can."""
        with socket.create_server(("127.0.0.1", 0)) as nowhere:
            task = self._task(0, files, (nowhere,), None)
            return trial.objection_to(lambda: start(task))

    # -- what the supervisor asks for ----------------------------------------------------------------------------------

    def run(self, slot: int, link: socket.socket) -> None:
        """Be the worker in ``slot``."""
        number = slot % self.workers
        own = self._site.listeners[number]
        for sock in {sock for others in self._site.listeners for sock in others} - set(own):
            sock.close()
        run(self._task(number, self.keeper.files, own, self._metrics), link)

    def sockets(self) -> Iterable[socket.socket]:
        """All that are listened on; some are shared."""
        listening = (sock for own in self._site.listeners for sock in own)
        return dict.fromkeys([*listening, *self._site.redirect])

    def handed(self) -> ReloadState:
        """A new program writes certificates into a folder of its own."""
        return ReloadState(folders=[self.keeper.folder])

    def serving(self) -> None:
        """Count the workers; say what they serve."""
        if self._metrics:
            self._metrics.counts.incr_spawn(self.workers)
            self._metrics.export()
        self.keeper.report()

    def died(self) -> None:
        """Count it."""
        if self._metrics:
            self._metrics.counts.incr_respawn_err(1)

    def look(self, workers: Sequence[WorkerProcess]) -> None:
        """Look after certificates and memory."""
        if self.keeper.renew(at_once=False):
            self._renewed()
        if self._renewing and all(worker.ready and not self._has_former(worker) for worker in workers):
            self._renewing = False
            self.keeper.forget_others()
        self.keeper.report()
        if self._own.workers_rss is not None:
            self._measure(workers)

    def is_outdated(self, worker: WorkerProcess) -> bool:
        """Whether it has former certificates, has served for so long, or needs so much memory, as Granian is told."""
        lifetime = self._own.workers_lifetime
        is_old = lifetime is not None and time.monotonic() - worker.birth >= lifetime
        return is_old or self._has_former(worker) or self._large.get(worker.pid, 0) >= self._own.rss_samples

    def read_certificates(self) -> None:
        """And replace the workers, whatever was read."""
        logger.info("HUP signal received, gracefully respawning workers..")
        self.keeper.renew(at_once=True)
        self._renewed()

    def leave(self) -> None:
        """Who comes now is told at once that nobody is here."""
        logger.info("Shutting down granian")
        if self._metrics:
            self._metrics.stop_exporting()
        for sock in self.sockets():
            sock.close()
        self._site.leave()

    # ------------------------------------------------------------------------------------------------------------------

    def _renewed(self) -> None:
        self._since, self._renewing = time.monotonic(), True

    def _has_former(self, worker: WorkerProcess) -> bool:
        return worker.birth < self._since

    def _measure(self, workers: Sequence[WorkerProcess]) -> None:
        """Find workers that have had more memory than they may in ``rss_samples`` looks in a row."""
        now = time.monotonic()
        if now - self._measured_at < self._own.rss_sample_interval:
            return
        self._measured_at = now
        numbers = {worker.pid: worker.slot % self.workers + 1 for worker in workers if worker.status is None}
        found: dict[int, int] = self._memory.memory(list(numbers))
        most = self._own.workers_rss
        self._large = {pid: self._large.get(pid, 0) + 1 for pid, size in found.items() if size >= most}
        for pid, looks in self._large.items():
            if looks == self._own.rss_samples:
                logger.info(f"worker-{numbers[pid]} RSS over threshold, gracefully respawning..")

    def _task(
        self, number: int, files: PemFiles, listeners: tuple[socket.socket, ...], metrics: Metrics | None
    ) -> Task:
        """What worker ``number`` (from 0) is to do with these certificates."""
        own, site = self._own, self._site
        return Task(
            number=number + 1,
            listeners=listeners,
            backlog=own.backlog,
            others=tuple(sock.fileno() for sock in site.redirect),
            runtimes=site.runtimes,
            begin=site.begin,
            end=site.end,
            ipc=metrics.pipe(number) if metrics else None,
            mode=own.runtime_mode,
            parameters={
                "threads": own.runtime_threads,
                "blocking_threads": own.runtime_blocking_threads,
                "py_threads_idle_timeout": own.blocking_threads_idle_timeout,
                "backpressure": own.backpressure,
                "http_mode": own.http,
                "http1_opts": own.http1_settings,
                "http2_opts": own.http2_settings,
                "static_files": own.static_path,
                "metrics": (own.metrics_scrape_interval if metrics else None, None),
                **self._tls,
                **_certificates(files),
            },
        )


def _certificates(files: PemFiles) -> dict[str, Any]:
    """What Granian's worker is told of TLS, by its own names."""
    return {
        "ssl_enabled": True,
        "ssl_cert": str(files.cert),
        "ssl_key": str(files.key),
        "ssl_ca": str(files.ca) if files.ca else None,
        "ssl_crl": [str(path) for path in files.crls],
    }

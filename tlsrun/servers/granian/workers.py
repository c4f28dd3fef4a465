"""Granian's server: what its workers run, when they are replaced, and the supervisor's periodic work."""

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

#: Seconds for requests to finish at a stop, and in an exhausted worker, some of whose requests may never end.
#: ``workers_kill_timeout`` overrides this, and _RETIREMENT.
_GRACE = 30
#: Seconds for requests to finish in a worker that was replaced for another reason.
_RETIREMENT = 3600


@dataclass(frozen=True, kw_only=True)
class GranianWorkerConfig:
    """What all workers share; created before the fork.

    Arguments:
        runtimes: called for each Granian runtime; returns what serves its requests.
        listeners: for each worker, its listening sockets.
        words: the addresses of these, for the log.
        redirect: the listening sockets of the redirect port.
        begin, end: called in each worker, before it serves and once it has stopped accepting.
        leave: called at a stop, before the workers are told.
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
        keeper: renews the certificates; must be set before `serve`.

    Raises:
        granian.errors.FatalError: Granian refuses the parameters; its log says why.
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
        self._since = 0.0  # workers started before this have former certificates
        self._renewing = False
        self._memory: Any = ProcInfoCollector()
        self._measured_at = time.monotonic()
        self._large: dict[int, int] = {}  # PID -> samples in a row above workers_max_rss

    def serve(self) -> int:
        """Serve until told to stop; see `Supervisor.serve`.

        Raises:
            granian.errors.FatalError: see the constructor.
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
        """Why Granian cannot serve these files; None if it can."""
        with socket.create_server(("127.0.0.1", 0)) as nowhere:
            task = self._task(0, files, (nowhere,), None)
            return trial.objection_to(lambda: start(task))

    # -- called by the supervisor --------------------------------------------------------------------------------------

    def run(self, slot: int, link: socket.socket) -> None:
        """Run the worker in ``slot``."""
        number = slot % self.workers
        own = self._site.listeners[number]
        for sock in {sock for others in self._site.listeners for sock in others} - set(own):
            sock.close()
        run(self._task(number, self.keeper.files, own, self._metrics), link)

    def sockets(self) -> Iterable[socket.socket]:
        """All listening sockets, each once; some are shared by several workers."""
        listening = (sock for own in self._site.listeners for sock in own)
        return dict.fromkeys([*listening, *self._site.redirect])

    def handed(self) -> ReloadState:
        """The new program writes certificates to a folder of its own, so this one is removed."""
        return ReloadState(folders=[self.keeper.folder])

    def serving(self) -> None:
        """Count the workers, start the metrics exporter, and report the certificates."""
        if self._metrics:
            self._metrics.counts.incr_spawn(self.workers)
            self._metrics.export()
        self.keeper.report()

    def died(self) -> None:
        """Count the failed worker."""
        if self._metrics:
            self._metrics.counts.incr_respawn_err(1)

    def look(self, workers: Sequence[WorkerProcess]) -> None:
        """Check certificates and memory."""
        if self.keeper.renew(at_once=False):
            self._renewed()
        if self._renewing and all(worker.ready and not self._has_former(worker) for worker in workers):
            self._renewing = False
            self.keeper.forget_others()
        self.keeper.report()
        if self._own.workers_rss is not None:
            self._measure(workers)

    def is_outdated(self, worker: WorkerProcess) -> bool:
        """Whether it has former certificates, or has reached ``workers_lifetime`` or ``workers_max_rss``."""
        lifetime = self._own.workers_lifetime
        is_old = lifetime is not None and time.monotonic() - worker.birth >= lifetime
        return is_old or self._has_former(worker) or self._large.get(worker.pid, 0) >= self._own.rss_samples

    def read_certificates(self) -> None:
        """Read certificates again, and replace all workers even if nothing has changed."""
        logger.info("HUP signal received, gracefully respawning workers..")
        self.keeper.renew(at_once=True)
        self._renewed()

    def leave(self) -> None:
        """Close the listening sockets, so that new connections are refused at once."""
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
        """Sample the workers' memory every ``rss_sample_interval`` seconds; count samples in a row above the limit."""
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
        """The task of worker ``number`` (from 0), with these certificates."""
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
    """The TLS parameters of Granian's worker."""
    return {
        "ssl_enabled": True,
        "ssl_cert": str(files.cert),
        "ssl_key": str(files.key),
        "ssl_ca": str(files.ca) if files.ca else None,
        "ssl_crl": [str(path) for path in files.crls],
    }

"""The workers of Granian's supervisor: what each is to do, and how one takes the place of another."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from granian.log import logger
from granian.server.mp import MPServer

from tlsrun.reloading.predecessors import Predecessors
from tlsrun.servers.granian import trial
from tlsrun.servers.granian.certificates import GranianCertificates
from tlsrun.servers.granian.handle import WorkerHandle
from tlsrun.servers.granian.metrics import Metrics
from tlsrun.servers.granian.pem import PemFiles
from tlsrun.servers.granian.pool import Runtime
from tlsrun.servers.granian.worker import Task, start

#: Seconds that requests have in a worker which another has replaced.
RETIREMENT = 3600


@dataclass(frozen=True, kw_only=True)
class GranianWorkerConfig:
    """What the workers share, from before the fork.

    Arguments:
        runtimes: makes our side of one of Granian's runtimes; told what to call when the worker is to be replaced.
        listeners: for each worker, the sockets that it listens on.
        words: where that is, for Granian's log.
        redirect: those of the redirect port.
        begin, end: called in each worker, before it serves and when it has left the sockets.
        leave: called at a stop, before the workers hear of it.
    """

    runtimes: Callable[[Callable[[str], None]], Runtime]
    listeners: tuple[tuple[socket.socket, ...], ...]
    words: str
    redirect: tuple[socket.socket, ...]
    begin: Callable[[], None]
    end: Callable[[], None]
    leave: Callable[[], None]


class Workforce(MPServer):  # type: ignore[misc]  # Granian's classes have no types
    """Granian's server of processes, with workers of ours: it reads and checks its parameters.

    Arguments:
        parameters: Granian's own, checked.

    Attributes:
        keeper: of the certificates; to be set before it serves.
    """

    keeper: GranianCertificates

    def __init__(
        self, site: GranianWorkerConfig, *, ssl_protocol_min: Any, ssl_client_verify: bool, **parameters: Any
    ) -> None:
        self._tls = {"ssl_protocol_min": str(ssl_protocol_min), "ssl_client_verify": ssl_client_verify}
        self._site = site
        self._retired: list[tuple[WorkerHandle, float]] = []
        self._predecessors = Predecessors()
        super().__init__("the application", **parameters)
        self.wrks: list[WorkerHandle] = []
        self.metrics: Metrics | None = None
        if self.metrics_enabled:
            self.metrics = Metrics(workers=self.workers, address=self.metrics_address, port=self.metrics_port)
        self.ssl_ctx: Any = (True, *self.ssl_ctx[1:])

    def family(self) -> list[WorkerHandle]:
        """Every worker that has not been reaped."""
        return [*self.wrks, *(worker for worker, _ in self._retired)]

    def objection_to(self, files: PemFiles) -> str | None:
        """Why Granian cannot serve these files; None when it can."""
        with socket.create_server(("127.0.0.1", 0)) as nowhere:
            task = self._task(0, files, (nowhere,), measured=False)
            return trial.objection_to(lambda: start(task))

    def _task(self, number: int, files: PemFiles, listeners: tuple[socket.socket, ...], *, measured: bool) -> Task:
        """What worker ``number`` (from 0) is to do with these certificates."""
        site = self._site
        return Task(
            number=number + 1,
            listeners=listeners,
            backlog=self.backlog,
            others=tuple(sock.fileno() for sock in site.redirect),
            runtimes=site.runtimes,
            begin=site.begin,
            end=site.end,
            ipc=self.metrics.pipe(number) if measured and self.metrics else None,
            mode=self.runtime_mode,
            parameters={
                "threads": self.runtime_threads,
                "blocking_threads": self.runtime_blocking_threads,
                "py_threads_idle_timeout": self.blocking_threads_idle_timeout,
                "backpressure": self.backpressure,
                "http_mode": self.http,
                "http1_opts": self.http1_settings,
                "http2_opts": self.http2_settings,
                "static_files": self.static_path,
                "metrics": (self.metrics_scrape_interval if measured else None, None),
                **self._tls,
                **_certificates(files),
            },
        )

    def replace(self, workers: Iterable[int], *, patience: float = RETIREMENT) -> bool:
        """Replace workers, one by one: the new one serves before the old one leaves the socket.

        Arguments:
            patience: seconds that the old one's requests have, unless Granian is told another number.

        Returns:
            whether all of them were.
        """
        patience = self.workers_kill_timeout or patience
        for number in workers:
            if self.interrupt_signal:
                return False
            logger.info(f"Respawning worker-{number + 1}")
            worker = self.spawn(number)
            if not worker.is_ready():
                logger.error(f"The new worker-{number + 1} did not start; the old one goes on")
                worker.kill()
                self.bury(worker)
                return False
            old, self.wrks[number] = self.wrks[number], worker
            old.retire()
            self._retired.append((old, time.monotonic() + patience))
        return True

    def spawn(self, number: int) -> WorkerHandle:
        """Start worker ``number`` (from 0)."""
        own = self._site.listeners[number]
        task = self._task(number, self.keeper.files, own, measured=self.metrics_enabled)
        task.forget = self._predecessors.forget
        task.foreign = [sock for others in self._site.listeners for sock in others if sock not in own]
        worker = WorkerHandle(number, task, self.family())
        worker.start()
        return worker

    def bury(self, worker: WorkerHandle) -> None:
        """Wait for the end of a worker, and let go of what was its own."""
        worker.join()
        worker.link.close()
        logger.info(f"Stopped worker-{worker.number + 1}")


def _certificates(files: PemFiles) -> dict[str, Any]:
    """What Granian's worker is told of TLS, by its own names."""
    return {
        "ssl_enabled": True,
        "ssl_cert": str(files.cert),
        "ssl_key": str(files.key),
        "ssl_ca": str(files.ca) if files.ca else None,
        "ssl_crl": [str(path) for path in files.crls],
    }

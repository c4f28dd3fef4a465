"""Granian's metrics: workers write them to pipes, the supervisor aggregates them, Granian's exporter serves them."""

from __future__ import annotations

import multiprocessing
import os
from typing import Any

from granian.server.common import MetricsAggregator, MetricsExporter, SocketSpec, WorkerSignal
from granian.server.mp import IPCReceiverHandle

_BACKLOG = 128


class Metrics:
    """Aggregates and exports the workers' metrics; create it before the workers are forked.

    Arguments:
        workers: number of workers.
        address, port: where the exporter listens.

    Attributes:
        counts: Granian's aggregator, to which the supervisor adds its own counters.
    """

    def __init__(self, *, workers: int, address: str, port: int) -> None:
        self.counts: Any = MetricsAggregator(workers)
        self._address, self._port = address, port
        self._exporter = MetricsExporter(self.counts)
        self._pipes = [multiprocessing.Pipe(False) for _ in range(workers)]
        self._receivers: list[Any] = []
        self._received, self._exported = WorkerSignal(), WorkerSignal()

    def pipe(self, number: int) -> Any:
        """The end of the pipe to which worker ``number`` (from 0) writes."""
        return self._pipes[number][1]

    def receive(self) -> None:
        """Start to aggregate what workers write."""
        for number, (reading, _) in enumerate(self._pipes):
            descriptor = os.dup(reading.fileno())
            os.set_blocking(descriptor, False)
            receiver = IPCReceiverHandle(number, descriptor)
            receiver.run(self._received, self.counts)
            self._receivers.append(receiver)

    def export(self) -> None:
        """Start the exporter."""
        self._exporter.run(SocketSpec(self._address, self._port, _BACKLOG).build(), self._exported)

    def stop_exporting(self) -> None:
        """Stop the exporter."""
        self._exported.set()

    def stop_receiving(self) -> None:
        """Stop aggregating; the workers have ended."""
        self._received.set()

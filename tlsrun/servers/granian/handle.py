"""A worker as its supervisor has it: a forked process, and the connection by which they talk."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import socket
from collections.abc import Callable, Iterable
from typing import Any

from granian.server.mp import WorkerProcess

from tlsrun.servers.granian.worker import READY, REPLACE, RETIRE, STOPS, Task, run

_READY = 30.0  # seconds that a worker has to start


class WorkerHandle(WorkerProcess):  # type: ignore[misc]  # Granian's classes have no types
    """A worker process, and the connection to it.

    Arguments:
        server: its supervisor.
        number: counted from 0, as Granian does.
        task: what it does; its ``link`` is made here.
        siblings: the workers that there are; their connections are none of its business.
    """

    def __init__(self, server: Any, number: int, task: Task, siblings: Iterable[WorkerHandle]) -> None:
        self.link, task.link = socket.socketpair()
        task.theirs = [*(sibling.link for sibling in siblings), self.link]
        self._task = task
        self._worn_out = False
        super().__init__(server, number, run, (task,))

    def _spawn(self, target: Callable[..., None], args: tuple[Any, ...]) -> None:
        # Always a fork: the application is an object of this process.
        self.inner = multiprocessing.get_context("fork").Process(name="granian-worker", target=target, args=args)

    def _watch(self) -> None:
        """Granian starts a thread here, in the process that forks; `Supervisor` looks itself."""

    def start(self) -> None:
        """Fork, with the signals that end a worker held back until it has handlers for them."""
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        if self._task.link is not None:
            self._task.link.close()

    def is_ready(self) -> bool:
        """Wait until it serves; False when it has died before, or takes too long."""
        self.link.settimeout(_READY)
        try:
            return bool(self.link.recv(1) == READY)
        except OSError:
            return False

    def is_worn_out(self) -> bool:
        """Whether it has asked to be replaced."""
        self.link.settimeout(0)
        with contextlib.suppress(OSError):  # it has said nothing, or is gone
            self._worn_out = self._worn_out or self.link.recv(1) == REPLACE
        return self._worn_out

    def retire(self) -> None:
        """Have it leave the socket to others, let its requests finish, and end."""
        self.interrupt_by_parent = True
        with contextlib.suppress(OSError):  # it has ended by itself
            self.link.send(RETIRE)

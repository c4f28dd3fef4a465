"""A worker as its supervisor has it: a forked process, and the connection by which they talk."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import socket
import time
from collections.abc import Iterable

from granian.log import logger

from tlsrun.servers.granian.worker import READY, REPLACE, RETIRE, STOPS, Task, run

_READY = 30.0  # seconds that a worker has to start


class WorkerHandle:
    """A worker process, and the connection to it.

    Arguments:
        number: counted from 0, as Granian does.
        task: what it does; its ``link`` is made here.
        siblings: the workers that there are; their connections are none of its business.

    Attributes:
        inner: the process.
        link: the connection.
        birth: when it began, by time.monotonic().
    """

    def __init__(self, number: int, task: Task, siblings: Iterable[WorkerHandle]) -> None:
        self.link, task.link = socket.socketpair()
        task.theirs = [*(sibling.link for sibling in siblings), self.link]
        self._task = task
        self._worn_out = False
        self.number = number
        self.birth = time.monotonic()
        # Always a fork: the application is an object of this process.
        self.inner = multiprocessing.get_context("fork").Process(name="granian-worker", target=run, args=(task,))

    def start(self) -> None:
        """Fork, with the signals that end a worker held back until it has handlers for them."""
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        try:
            self.inner.start()
            logger.info(f"Spawning worker-{self.number + 1} with PID: {self.inner.pid}")
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
        with contextlib.suppress(OSError):  # it has ended by itself
            self.link.send(RETIRE)

    def terminate(self) -> None:
        """Have it stop: it lets its requests finish."""
        self.inner.terminate()

    def kill(self) -> None:
        """End it."""
        self.inner.kill()

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self.inner.is_alive()

    def join(self) -> None:
        """Wait for its end."""
        self.inner.join()

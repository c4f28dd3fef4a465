"""The interface between the supervisor and the server whose workers it runs."""

from __future__ import annotations

import logging
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tlsrun.forking.worker import WorkerProcess


@dataclass(frozen=True, kw_only=True)
class ReloadState:
    """What a reload passes to the program that it executes, and what it removes.

    Arguments:
        state: state of the server for the new program.
        lent: the file descriptors that ``state`` refers to; the new program inherits them.
        folders: private folders that the new program does not need.
    """

    state: Mapping[str, Any] = field(default_factory=dict)
    lent: Sequence[int] = ()
    folders: Sequence[str] = ()


class ForkingServer(ABC):
    """A server whose workers are forked.

    Attributes:
        name: the server's name; worker processes are called ``{name}-worker``.
        log: the logger of the supervisor.
        workers: number of workers.
        slots: maximum number of processes per worker number at a time.
        grace: seconds for a worker to end at a stop, and after a replacement that it asked for itself.
        patience: seconds for a worker to end after a replacement for another reason, or a reload.
        respawns: whether a worker that dies is restarted; if not, the server stops.
    """

    name: str
    log: logging.Logger
    workers: int
    slots: int
    grace: float
    patience: float
    respawns = True

    @abstractmethod
    def run(self, slot: int, link: socket.socket) -> None:
        """Run the worker in ``slot``; called in the worker's process.

        By then the signals `tlsrun.forking.worker.HANDLED` have their default actions, and `HELD` are blocked: the
        worker installs its own handlers and unblocks them. It sends `READY` over ``link`` once it serves, and may send
        `REPLACE`. At `LEAVE` it stops accepting, finishes its requests and ends; it stops at SIGTERM, SIGINT and EOF on
        ``link``. At SIGHUP it reads the certificates again.
        """

    @abstractmethod
    def sockets(self) -> Iterable[socket.socket]:
        """All listening sockets; the program that a reload executes inherits them."""

    @abstractmethod
    def read_certificates(self) -> None:
        """Read the certificates again: SIGHUP, where a reload cannot execute the program anew. Workers get it next."""

    @abstractmethod
    def leave(self) -> None:
        """Stop listening, so that new connections are refused at once; called at a stop, before workers are told."""

    def handed(self) -> ReloadState:
        """What else a reload passes to the new program."""
        return ReloadState()

    def is_outdated(self, worker: WorkerProcess) -> bool:
        """Whether the server wants this worker replaced."""
        return False

    # Optional hooks:

    def serving(self) -> None:  # noqa: B027
        """Called once, when every worker is ready."""

    def died(self) -> None:  # noqa: B027
        """Called when a worker has ended unexpectedly, before it is restarted."""

    def look(self, workers: Sequence[WorkerProcess]) -> None:  # noqa: B027
        """Do periodic work; called at least once a second.

        Arguments:
            workers: the workers that have not been dismissed.
        """

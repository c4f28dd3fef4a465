"""What a server says of its workers; everything else is the supervisor's."""

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
    """What the program that a reload executes anew finds, or has no more use for.

    Arguments:
        state: what the server wants to find again.
        lent: the descriptors that are named there.
        folders: private ones that are of no use to the new program.
    """

    state: Mapping[str, Any] = field(default_factory=dict)
    lent: Sequence[int] = ()
    folders: Sequence[str] = ()


class ForkingServer(ABC):
    """A server whose workers are forked.

    Attributes:
        name: of its workers' processes.
        log: where its supervisor's lines go.
        workers: how many there are.
        slots: processes that may be one of them at a time.
        grace: seconds that workers have to end at a stop, and when they have asked to be replaced themselves.
        patience: seconds that they have when they were replaced for another reason, or by a reload.
        respawns: whether one that dies is replaced; otherwise the server ends.
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
        """Be the worker in ``slot``; in its process.

        By then it has the usual handlers of signals, and `tlsrun.forking.worker.HELD` are blocked: it sets its own, and
        unblocks these. It says `READY` over ``link`` when it serves, and may say `REPLACE`; it leaves at `LEAVE`, ends
        at SIGTERM, SIGINT, and when ``link`` ends. SIGHUP is for it to read the certificates.
        """

    @abstractmethod
    def sockets(self) -> Iterable[socket.socket]:
        """All that are listened on, which the program that a reload executes anew is to have."""

    @abstractmethod
    def read_certificates(self) -> None:
        """SIGHUP, where the program cannot be executed anew; the workers hear of it next."""

    @abstractmethod
    def leave(self) -> None:
        """The server stops; before the workers hear of it. Who comes now is to be told at once that nobody is here."""

    def handed(self) -> ReloadState:
        """What else the program that a reload executes anew is to know."""
        return ReloadState()

    def is_outdated(self, worker: WorkerProcess) -> bool:
        """Whether it is to be replaced, which it does not ask for itself."""
        return False

    # Nothing, where a server has nothing to do then:

    def serving(self) -> None:  # noqa: B027
        """Every worker serves."""

    def died(self) -> None:  # noqa: B027
        """A worker has ended that should not have, and is replaced."""

    def look(self, workers: Sequence[WorkerProcess]) -> None:  # noqa: B027
        """Do what is due; called once a second at least.

        Arguments:
            workers: those that are not about to leave.
        """

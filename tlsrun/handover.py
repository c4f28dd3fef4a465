"""What a process passes, at a reload, to the program that it executes in its own place or tries in another process."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tlsrun import deferred_signals

#: Environment variable with JSON, which includes the number of the process that wrote it. A process keeps its number
#: over exec(2), and is the parent of a trial; other programs that inherit the variable are recognised by that.
VARIABLE = "_TLSRUN_HANDOVER"


@dataclass(frozen=True, kw_only=True)
class Old:
    """A process of the old program, which serves until it is told to stop.

    Arguments:
        pid: its number.
        link: the descriptor of a connection to it; closing that also stops it. None without one.
        word: what to write to the connection to stop it; "" to send SIGTERM instead.
        patience: seconds for it to exit after that.
    """

    pid: int
    link: int | None = None
    word: str = ""
    patience: float = 60.0


@dataclass(frozen=True, kw_only=True)
class Handover:
    """What is handed over; empty at a first start.

    Arguments:
        sockets: descriptors of bound sockets.
        old: processes that go on serving meanwhile.
        moved: for sockets that systemd or another parent has passed by number: (that number, the descriptor now).
        folders: private folders of the old program that are not needed any more.
        state: data for the server, under names of its own.
        lent: the descriptors to which ``state`` refers.
        trial: in a trial, the descriptor to write to on success; None otherwise.
        server: the only server that the new program may be; "" for any.
        main: the number of the main process; 0 for the one that wrote this.
        pid: the number of the process that wrote this.
    """

    sockets: tuple[int, ...] = ()
    old: tuple[Old, ...] = ()
    moved: tuple[tuple[int, int], ...] = ()
    folders: tuple[str, ...] = ()
    state: Mapping[str, Any] = field(default_factory=dict)
    lent: tuple[int, ...] = ()
    trial: int | None = None
    server: str = ""
    main: int = 0
    pid: int = 0

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The descriptors that must stay open over exec(2)."""
        return (*self.sockets, *self.lent, *(one.link for one in self.old if one.link is not None))

    def to_text(self) -> str:
        """The value of the variable, written by this process."""
        return json.dumps(dataclasses.asdict(dataclasses.replace(self, pid=os.getpid())))


def from_text(text: str) -> Handover:
    """Parse the result of `Handover.to_text`.

    Raises:
        ValueError: it is something else.
        TypeError: the same.
        KeyError: the same.
    """
    said = json.loads(text)
    return Handover(
        sockets=tuple(said["sockets"]),
        old=tuple(Old(**one) for one in said["old"]),
        moved=tuple((number, now) for number, now in said["moved"]),
        folders=tuple(said["folders"]),
        state=said["state"],
        lent=tuple(said["lent"]),
        trial=said["trial"],
        server=said["server"],
        main=said["main"],
        pid=said["pid"],
    )


_received: Handover | None = None


def received() -> Handover:
    """The handover to this program; empty at a first start."""
    return _received or Handover()


def is_trial() -> bool:
    """Whether this program is a trial."""
    return _received is not None and _received.trial is not None


def is_anew() -> bool:
    """Whether this program was executed in place of an old one."""
    return _received is not None and _received.trial is None


def server_pid() -> int:
    """The number of the main process; in a trial, that of the running server."""
    return received().main or os.getppid() if is_trial() else os.getpid()


def receive() -> None:
    """Read the variable and remove it from the environment; called at the first import of tlsrun."""
    global _received
    text = os.environ.pop(VARIABLE, "")
    try:
        found = from_text(text)
    except (ValueError, TypeError, KeyError):
        return
    if found.trial is None and found.pid == os.getpid():
        _received = found
        deferred_signals.record()
    elif found.trial is not None and found.pid == os.getppid():
        _received = found

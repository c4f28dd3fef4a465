"""What a process hands to the program that it executes in its own place, or tries in another process, at a reload."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tlsrun import deferred_signals

#: In the environment: JSON, with the number of the process that wrote it. A process keeps its number over exec(2), and
#: is the parent of a trial; that tells both from other programs that inherit the variable.
VARIABLE = "_TLSRUN_HANDOVER"


@dataclass(frozen=True, kw_only=True)
class Old:
    """A process of the program before, which serves on until it is told to end.

    Arguments:
        pid: of it.
        link: the descriptor of the connection to it; it ends, too, when that is closed. None without one.
        word: what tells it over the connection to end; "" where SIGTERM does.
        patience: seconds that it has from then on.
    """

    pid: int
    link: int | None = None
    word: str = ""
    patience: float = 60.0


@dataclass(frozen=True, kw_only=True)
class Handover:
    """What is handed over; for a first start, nothing.

    Arguments:
        sockets: descriptors of sockets that are bound already.
        old: processes that serve on meanwhile.
        moved: of sockets that systemd, or whoever started the server, has handed over by their numbers: (number, the
            descriptor that is open now).
        folders: private ones of the program before, which are of no more use.
        state: what the server wants to find again, by its own names.
        lent: the descriptors that are named there.
        trial: in a trial, the descriptor to write to when all is well; None in earnest.
        server: the only server that the new program can be; "" for any.
        main: the number of the process that serves and that was started; 0 for who wrote it.
        pid: of who wrote it.
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
        """What must stay open over exec(2)."""
        return (*self.sockets, *self.lent, *(one.link for one in self.old if one.link is not None))

    def to_text(self) -> str:
        """The value of the variable, written by this process."""
        return json.dumps(dataclasses.asdict(dataclasses.replace(self, pid=os.getpid())))


def from_text(text: str) -> Handover:
    """What `Handover.to_text` wrote.

    Raises:
        ValueError, TypeError, KeyError: it is something else.
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
    """What was handed to this program; nothing at a first start."""
    return _received or Handover()


def is_trial() -> bool:
    """Whether this program runs only to see whether it would serve."""
    return _received is not None and _received.trial is not None


def is_anew() -> bool:
    """Whether it was executed in the place of another one."""
    return _received is not None and _received.trial is None


def server_pid() -> int:
    """The number of the process that serves, or for which this is a trial."""
    return received().main or os.getppid() if is_trial() else os.getpid()


def receive() -> None:
    """Read the variable and take it out of the environment; at the first import of tlsrun."""
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

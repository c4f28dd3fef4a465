"""What a service is to tell systemd (sd_notify(3)): that it serves, that it ends, and that it still lives.

By hand: it is one datagram, and the library for it (python-systemd) has to be compiled.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

_SOCKET = "NOTIFY_SOCKET"

READY = "READY=1"
STOPPING = "STOPPING=1"
ALIVE = "WATCHDOG=1"


def reloading(microseconds: int) -> str:
    """The word that a reload begins, which READY ends (sd_notify(3)).

    Arguments:
        microseconds: of CLOCK_MONOTONIC, now.
    """
    return f"RELOADING=1\nMONOTONIC_USEC={microseconds}"


def notify(state: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell the service manager; without one, or when it does not listen, nothing happens.

    Returns:
        whether it was told.
    """
    name = environ.get(_SOCKET, "")
    if not name.startswith(("/", "@")):
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(state.encode(), "\0" + name[1:] if name.startswith("@") else name)
    except OSError:
        return False
    return True


def serves(interval: float | None = None) -> bool:
    """Say that it serves; after a reload, that systemd may be as impatient again as it was before `needs`.

    Arguments:
        interval: seconds between two signs of life that it asks for; None to find out.

    Returns:
        whether it was told.
    """
    interval = watchdog_interval() if interval is None else interval
    return notify(READY if interval is None else f"{READY}\nWATCHDOG_USEC={round(interval * 2e6)}")


def needs(seconds: float, interval: float | None = None) -> None:
    """Say that for so many seconds from now there may be no sign of life: a program is imported.

    ``WATCHDOG_USEC=`` (sd_notify(3)), which lasts until `serves` is said.

    Arguments:
        interval: as in `serves`.
    """
    interval = watchdog_interval() if interval is None else interval
    if interval is not None:
        notify(f"{ALIVE}\nWATCHDOG_USEC={round(interval * 2e6 + seconds * 1e6)}")


def hide() -> str | None:
    """Take systemd's socket out of the environment, before a server tells of itself that it is ready, and is not yet.

    Returns:
        what `show` puts back.
    """
    return os.environ.pop(_SOCKET, None)


def show(hidden: str | None) -> None:
    """Put back what `hide` has taken out."""
    if hidden is not None:
        os.environ[_SOCKET] = hidden


class Watchdog:
    """Signs of life, if systemd asks for them.

    Attributes:
        interval: seconds between two of them; None when none are asked for.
    """

    def __init__(self, interval: float | None = None) -> None:
        self.interval = watchdog_interval() if interval is None else interval
        self._fed = 0.0

    def feed(self) -> None:
        """Give one, if it is time. To be called at least once in each interval, by what must not stand still."""
        if self.interval is not None and (now := time.monotonic()) - self._fed >= self.interval / 2:
            self._fed = now
            notify(ALIVE)

    @property
    def pause(self) -> float | None:
        """How long what only waits may wait; None for ever."""
        return None if self.interval is None else self.interval / 2

    def within(self, seconds: float) -> float:
        """How long something may wait before it is to be fed again: ``seconds`` at most.

        Half of the interval, so that what comes between does not stretch it.
        """
        return seconds if self.interval is None else min(seconds, self.interval / 2)


def watchdog_interval(environ: Mapping[str, str] = os.environ) -> float | None:
    """Seconds between two signs of life that systemd asks this process for: half of its patience, as
    sd_watchdog_enabled(3) advises; None when it asks for none."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        patience = int(environ.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    return patience / 2e6 if patience > 0 and _SOCKET in environ else None

"""Notifications to systemd (sd_notify(3)): ready, stopping, and alive (the watchdog).

Written by hand: it is one datagram, and python-systemd has to be compiled.
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
    """The notification that a reload has begun; READY ends it (sd_notify(3)).

    Arguments:
        microseconds: the current time of CLOCK_MONOTONIC.
    """
    return f"RELOADING=1\nMONOTONIC_USEC={microseconds}"


def notify(state: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Notify the service manager; does nothing without one, or if it does not listen.

    Returns:
        whether the notification was sent.
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
    """Notify that the service is ready; resets the watchdog timeout that `needs` extended.

    Arguments:
        interval: seconds between two watchdog notifications; None to read it from the environment.

    Returns:
        whether the notification was sent.
    """
    interval = watchdog_interval() if interval is None else interval
    return notify(READY if interval is None else f"{READY}\nWATCHDOG_USEC={round(interval * 2e6)}")


def needs(seconds: float, interval: float | None = None) -> None:
    """Extend the watchdog timeout by ``seconds``, during which no notification may come: a program is imported.

    Uses ``WATCHDOG_USEC=`` (sd_notify(3)), which holds until `serves` resets it.

    Arguments:
        interval: as in `serves`.
    """
    interval = watchdog_interval() if interval is None else interval
    if interval is not None:
        notify(f"{ALIVE}\nWATCHDOG_USEC={round(interval * 2e6 + seconds * 1e6)}")


def hide() -> str | None:
    """Take NOTIFY_SOCKET out of the environment, so that a server does not report itself ready too early.

    Returns:
        what `show` puts back.
    """
    return os.environ.pop(_SOCKET, None)


def show(hidden: str | None) -> None:
    """Put back what `hide` took out."""
    if hidden is not None:
        os.environ[_SOCKET] = hidden


class Watchdog:
    """Sends watchdog notifications, if systemd asks for them.

    Attributes:
        interval: seconds between two of them; None if none are asked for.
    """

    def __init__(self, interval: float | None = None) -> None:
        self.interval = watchdog_interval() if interval is None else interval
        self._fed = 0.0

    def feed(self) -> None:
        """Send one if it is due. Call it at least once per interval, from the loop that must not hang."""
        if self.interval is not None and (now := time.monotonic()) - self._fed >= self.interval / 2:
            self._fed = now
            notify(ALIVE)

    @property
    def pause(self) -> float | None:
        """How long a loop with nothing else to do may wait; None for no limit."""
        return None if self.interval is None else self.interval / 2

    def within(self, seconds: float) -> float:
        """How long a loop may wait before the next `feed`: ``seconds`` at most.

        Half of the interval, so that other work in the loop does not stretch it beyond the interval.
        """
        return seconds if self.interval is None else min(seconds, self.interval / 2)


def watchdog_interval(environ: Mapping[str, str] = os.environ) -> float | None:
    """Seconds between two watchdog notifications that systemd asks this process for: half of its timeout, as
    sd_watchdog_enabled(3) advises; None if it asks for none."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        patience = int(environ.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    return patience / 2e6 if patience > 0 and _SOCKET in environ else None

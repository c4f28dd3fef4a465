"""When the program that was executed anew does not start after all, the workers of before serve on.

It had passed its trial, so something has changed in that moment: a deploy was not yet over. The process stays, for the
old workers end with it; another SIGHUP tries again.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket

from tlsrun import deferred_signals
from tlsrun.handover import received
from tlsrun.listening.notify import Watchdog, serves
from tlsrun.reloading.predecessors import Predecessors
from tlsrun.reloading.reload import LOOK, Reload

_log = logging.getLogger("tlsrun.reload")

_TICK = 1.0  # seconds between two looks at the workers


def take_care() -> None:
    """At the end of a program that was handed workers and has not begun to look after them; returns when they are
    gone, or a signal says so. In the main thread."""
    handover = received()
    if not handover.old or not deferred_signals.is_recording():
        return
    if not _log.hasHandlers():
        logging.basicConfig(
            format="[%(asctime)s] %(name)s: %(message)s", datefmt="%Y-%m-%d %H:%M:%S", level=logging.INFO
        )
    _log.error("the new program did not start (see above); the workers of before serve on, and SIGHUP tries again")
    serves()
    predecessors = Predecessors()
    stops: list[int] = []
    reload = Reload(lambda: _sockets(handover.sockets), waits=lambda: bool(stops))
    for number in deferred_signals.SIGNALS:
        signal.signal(number, lambda number, _: stops.append(number))
    signal.signal(signal.SIGHUP, lambda *_: reload.ask())
    deferred_signals.deliver()
    watchdog = Watchdog()
    while predecessors.living and not stops:
        # What signals interrupt begins anew (PEP 475): so none waits longer than this.
        select.select([], [], [], LOOK if reload.is_trying else watchdog.within(_TICK))
        watchdog.feed()
        predecessors.look()
        if reload.step():
            reload.execute(old=predecessors.living)
    reload.stop()
    predecessors.retire()
    while predecessors.living:
        predecessors.look()
        select.select([], [], [], LOOK)


def _sockets(numbers: tuple[int, ...]) -> list[socket.socket]:
    """Those that nobody has taken and closed yet."""
    found: list[socket.socket] = []
    for number in numbers:
        try:
            os.fstat(number)
        except OSError:
            continue
        found.append(_Borrowed(fileno=number))
    return found


class _Borrowed(socket.socket):
    """A socket whose descriptor is another's."""

    def __del__(self) -> None:
        self.detach()

"""If the program that was executed again does not start after all, the old workers go on serving.

It had passed its trial, so something has changed since, such as an unfinished deployment. The process must stay, since
the old workers end with it; another SIGHUP tries again.
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

_TICK = 1.0  # seconds between two checks of the workers


def fall_back_to_old_workers() -> None:
    """Run at the exit of a program that got workers and did not take care of them; returns when they are gone, or at a
    signal. In the main thread."""
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
        # A signal does not end select() early (PEP 475), so this bounds how long one waits.
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
    """The sockets that nobody has taken or closed yet."""
    found: list[socket.socket] = []
    for number in numbers:
        try:
            os.fstat(number)
        except OSError:
            continue
        found.append(_Borrowed(fileno=number))
    return found


class _Borrowed(socket.socket):
    """A socket that does not own its descriptor."""

    def __del__(self) -> None:
        self.detach()

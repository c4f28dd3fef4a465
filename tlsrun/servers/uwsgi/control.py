"""The control mule: a uWSGI mule that orders stop and reload, so that no request is lost.

uWSGI alone tells workers and mules to end at the same moment: a request on its way through an edge would find no worker
any more. Here the edges go first::

    SIGTERM, SIGINT ─► master ─► control: edges drain ─► master: kill_them_all ─► control: workers end ─► exit 0
    SIGHUP ──────────► master ─► control: a trial; edges drain ─► master: grace_them_all ─► exec
                                                 (from here on what stops it waits for the new program: `SignalBlock`)

The master passes signals on through uWSGI's own signal framework (``uwsgi_route_signal``). A terminal or a service
manager sends them to every process: workers ignore them, edges begin to drain, and the control mule gets each twice.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tlsrun.listening.notify import STOPPING, Watchdog, notify, serves
from tlsrun.reloading.reload import LOOK, Reload
from tlsrun.servers.uwsgi.service import RELOAD, RELOAD_NOW, STOP, STOP_NOW, Service
from tlsrun.servers.uwsgi.shared_state import TICK, EdgeCommand, EdgePhase, wait
from tlsrun.servers.uwsgi.signal_block import SignalBlock, unblock

_log = logging.getLogger("tlsrun.uwsgi")

_LETTING_GO = 0.5  # seconds for draining edges to stop accepting
_ECHO = 1.0  # seconds within which a repeated signal is taken for the same one
_ANSWER = 5.0  # seconds for the master to begin a reload
_LONG = 60.0  # seconds between two rounds when there is nothing to do
_PASSING_ON = 0.1  # seconds for a signal that the master received to reach the control mule

_noted: list[tuple[int, float]] = []


def note(number: int, *_: Any) -> None:
    """Handle a signal, sent directly or through the master, by recording it; what to do is decided elsewhere."""
    _noted.append((number, time.monotonic()))


class ControlMule:
    """Waits for signals, and acts on them.

    Arguments:
        service: what it keeps.
    """

    def __init__(self, service: Service) -> None:
        import uwsgi

        self._service = service
        self._shared_state = service.shared_state
        self._told: set[int] = set()
        self._ready = False
        self._watchdog = Watchdog(service.watchdog) if service.watchdog else None
        master = uwsgi.masterpid()
        self._signal_block = SignalBlock(service.place, master)
        sockets = (*service.place.listening.sockets, *service.place.redirecting.sockets)
        self._reload = Reload(lambda: sockets, server="uwsgi", main=master, watchdog=service.watchdog)

    def run(self) -> None:
        """Run until the server stops."""
        self._shared_state.command = EdgeCommand.SERVE
        for number in STOP:
            signal.signal(number, note)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        # Until then the signals that give it orders have another meaning.
        while not wait(lambda: self._signal_block.is_over, _ANSWER):
            self._signal_block.unblock_all()  # a control mule before this one was killed in mid-reload
        unblock()
        signal.signal(signal.SIGALRM, lambda *_: None)
        while not _is_asked(*STOP):
            if _is_asked(RELOAD):
                _forget(RELOAD)
                self._reload.ask()
            if self._reload.step():
                self.reload()
            else:
                left = self._live()
                _doze(min(LOOK, left) if self._reload.is_trying else left)
        self._reload.stop()
        notify(STOPPING)
        self.stop()

    def _live(self) -> float:
        """Notify systemd of readiness and feed its watchdog; returns the seconds until the next call is due."""
        if not self._ready:
            self._ready = self._shared_state.all_serve() and (serves(self._service.watchdog) or True)
        if self._watchdog is not None:
            self._watchdog.feed()
        if not self._ready:
            return TICK
        return _LONG if self._watchdog is None else self._watchdog.within(_LONG)

    def stop(self) -> None:
        """Let the requests in flight finish, then the workers, then the master."""
        import uwsgi

        began = time.monotonic()
        deadline = began + self._service.mercy

        def over() -> bool:
            return time.monotonic() >= deadline or any(number in STOP and at >= began + _ECHO for number, at in _noted)

        self._drain(lambda: over() or time.monotonic() >= began + _LETTING_GO)
        self._refuse_new()
        self._drain(over)
        os.kill(uwsgi.masterpid(), STOP_NOW)
        told: set[int] = set()
        while (workers := _workers()) and not over():
            _signal(workers - told, signal.SIGHUP)
            told |= workers
            _doze(TICK)
        _signal(_workers(), signal.SIGKILL)
        self._shared_state.command = EdgeCommand.END
        _signal((edge.pid for edge in self._shared_state.edges()), signal.SIGKILL)
        self._service.place.remove()

    def reload(self) -> None:
        """Let the master execute itself again, after a trial has shown that the new program would serve."""
        import uwsgi

        master = uwsgi.masterpid()
        deadline = time.monotonic() + self._service.mercy
        self._signal_block.block_reload()
        self._drain(lambda: time.monotonic() >= deadline or _is_asked(*STOP))
        if not _is_asked(*STOP):
            self._signal_block.block_stop()
            heard = time.monotonic() + _PASSING_ON
            while not _is_asked(*STOP) and (left := heard - time.monotonic()) > 0:
                _doze(left)
        if not _is_asked(*STOP):
            if _is_asked(RELOAD) or self._reload.asked:
                # A reload requested since the trial began may be for a later change; it stays pending over exec(2).
                os.kill(master, RELOAD)
            os.kill(master, RELOAD_NOW)
            # It answers with SIGHUP, which ends this process; if it does not, the server goes on.
            wait(lambda: False, _ANSWER)
        self._signal_block.unblock_all()
        self._told.clear()
        self._shared_state.command = EdgeCommand.SERVE

    def _drain(self, enough: Callable[[], bool]) -> None:
        """Tell the edges to take no more connections and finish, and wait until they have."""
        self._shared_state.command = EdgeCommand.DRAIN
        while not enough():
            busy = {edge.pid for edge in self._shared_state.edges() if edge.phase is not EdgePhase.DRAINED}
            # A master that is already stopping does not replace an edge that has gone.
            if not any(map(_is_alive, busy)):
                return
            _signal(busy - self._told, signal.SIGTERM)
            self._told |= busy
            if self._watchdog is not None:
                self._watchdog.feed()
            _doze(TICK)

    def _refuse_new(self) -> None:
        """Shut down the listening sockets, which the master keeps open, so that new clients are refused at once."""
        self._service.place.remove_files()
        listening = self._service.place.listening
        for listener, sock in zip(listening.listeners, listening.sockets, strict=True):
            # At systemd's sockets new clients wait for the next start.
            if listener.descriptor is None:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)


def _is_asked(*numbers: int) -> bool:
    return any(number in numbers for number, _ in _noted)


def _forget(number: int) -> None:
    _noted[:] = [one for one in _noted if one[0] != number]


def _doze(seconds: float) -> None:
    """Wait for a signal, for ``seconds`` at most."""
    import uwsgi

    # Repeated, because the first alarm may come before the wait begins.
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        uwsgi.signal_wait()
    except SystemError:  # interrupted by a Unix signal, not one of uWSGI's
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _workers() -> set[int]:
    import uwsgi

    return {worker["pid"] for worker in uwsgi.workers() if worker["pid"] > 0}


def _is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie that the master has not waited for yet does not count."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:  # it has just gone, or this system has no /proc
        return True


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

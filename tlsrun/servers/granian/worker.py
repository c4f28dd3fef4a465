"""A worker: Granian's Rust runtime in a process forked from the supervisor, and its graceful shutdown.

When told to stop, Granian drops connections in the TLS handshake, and closes those whose request has not arrived yet.
So a worker first stops accepting, and tells Granian to stop only after these have had some time::

    SERVING ──► LEAVING (accepts no more) ──► STOPPING (Granian lets requests finish) ──► exit
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from granian.log import logger
from granian.server.common import WORKERS_METHODS
from granian.server.mp import ASGIWorker, IPCSenderHandle, SocketHolder, WorkerSignal

from tlsrun.forking.worker import HELD, LEAVE, READY, REPLACE
from tlsrun.servers.granian.asgi import ImmediateLoop, scheduler
from tlsrun.servers.granian.connection_close import ConnectionClose
from tlsrun.servers.granian.exhaustion import LOOK, ExhaustionMonitor
from tlsrun.servers.granian.options import room
from tlsrun.servers.granian.pool import Answer, Pool, Runtime
from tlsrun.servers.granian.receiving import receiver
from tlsrun.servers.granian.wsgi import behind_a_front

#: Signals that stop a worker.
_STOPS = (signal.SIGTERM, signal.SIGINT)
#: Seconds for handshakes and first requests in progress when the worker stopped accepting: in a worker that has been
#: replaced, and at a stop of the server.
_LINGER_RETIRED, _LINGER_STOPPED = 2.0, 0.2
#: Seconds for responses in progress by then. Longer ones are still sent completely, but Granian then closes their
#: connections without ``Connection: close``; waiting longer would keep HTTP/2 clients from the new program.
_BEGUN = 4.0
_TICK = 0.05  # seconds between checks whether they have finished


@dataclass(kw_only=True)
class Task:
    """What a worker is to do.

    Arguments:
        number: number of the worker, from 1.
        listeners: the listening sockets.
        backlog: length of the queue of connections not yet accepted, per socket.
        runtimes: called for each Granian runtime; returns what serves its requests.
        parameters: parameters of Granian's Rust worker.
        mode: its runtime mode.
        others: descriptors of further listening sockets that the worker shares, and stops accepting from at its end.
        begin: called in the worker, before it serves.
        end: called in the worker once it has stopped accepting.
        ipc: the pipe to which Granian writes metrics; None without metrics.
    """

    number: int
    listeners: tuple[socket.socket, ...]
    backlog: int
    runtimes: Callable[[], Runtime]
    parameters: dict[str, Any]
    mode: Any
    others: tuple[int, ...] = ()
    begin: Callable[[], None] = lambda: None
    end: Callable[[], None] = lambda: None
    ipc: Any = None


class Servers:
    """The Granian runtimes of one worker: one per listening socket, because a runtime takes only one.

    Arguments:
        finish: called when all connections of all runtimes have ended.

    Attributes:
        pools: the thread pools of the runtimes.
        connection_close: adds ``Connection: close`` to responses during shutdown.
    """

    def __init__(self, finish: Callable[[], None]) -> None:
        self.pools: list[Pool] = []
        self.connection_close = ConnectionClose()
        self._finish = finish
        self._lock = threading.Lock()
        self._ends: list[Any] = []
        self._running = 0

    def new_end(self) -> Any:
        """Add a runtime; returns the signal that stops it."""
        end = WorkerSignal()
        end.add_cb(self._one_has_ended)
        self._ends.append(end)
        self._running += 1
        return end

    def around_at(self, *, is_unix: bool) -> Callable[[Answer], Answer]:
        """Return the wrapper of the functions that answer requests at a Unix or a TCP socket."""
        connection_close = self.connection_close
        return lambda answer: connection_close.around(behind_a_front(answer) if is_unix else answer)

    def set(self) -> None:
        """Stop all runtimes gracefully: requests in progress finish."""
        for end in self._ends:
            end.set()

    def _one_has_ended(self) -> None:
        with self._lock:
            self._running -= 1
            last = not self._running
        if last:
            self._finish()


def start(task: Task, finish: Callable[[], None] = lambda: None) -> Servers:
    """Start to serve, in Granian's threads. A file that Granian cannot use ends this process (Rust panic).

    Arguments:
        finish: called when all connections have ended, after ``set()`` of what is returned.

    Returns:
        the runtimes; their ``set()`` stops them.
    """
    handle = None
    if task.ipc is not None:
        descriptor = os.dup(task.ipc.fileno())
        os.set_blocking(descriptor, False)
        handle = IPCSenderHandle(descriptor)
    servers = Servers(finish)
    ends = [(listener, servers.new_end()) for listener in task.listeners]
    for listener, end in ends:
        is_unix = listener.family == socket.AF_UNIX
        runtime = task.runtimes()
        servers.pools.append(runtime.pool)
        worker = ASGIWorker(
            worker_id=task.number,
            sock=(None, SocketHolder(listener.fileno(), is_unix, task.backlog)),
            ipc=handle,
            py_threads=runtime.pool.threads,
            **task.parameters,
        )
        handle = None
        serve = getattr(worker, WORKERS_METHODS[task.mode][is_unix])
        serve(scheduler(receiver(runtime, servers.around_at(is_unix=is_unix))), ImmediateLoop, end)
    return servers


class MainThreadWaker:
    """Wakes the main thread of a worker: at a signal, when Granian has stopped, at a message of the supervisor."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self.stop_asked = self.retire_asked = self.finished = False

    def heed(self, numbers: Iterable[int]) -> None:
        """Take these signals as a request to stop; by a wakeup fd, as one of Granian's threads may receive them."""
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, self._ask_to_stop)

    def _ask_to_stop(self, *_: Any) -> None:
        self.stop_asked = True

    def finish(self) -> None:
        """All connections have ended; called in one of Granian's threads."""
        self.finished = True
        self.wake()

    def wait(self, seconds: float | None) -> None:
        """Wait for any of these events, for ``seconds`` at most."""
        poll = select.poll()
        for descriptor in (self._reading, self._link.fileno()):
            if descriptor >= 0:
                poll.register(descriptor, select.POLLIN)
        for descriptor, _ in poll.poll(None if seconds is None else seconds * 1000):
            if descriptor == self._reading:
                os.read(self._reading, 4096)
            else:
                self._hear()

    def _hear(self) -> None:
        try:
            word = self._link.recv(1)
        except OSError:
            word = b""
        if word == LEAVE:
            self.retire_asked = True
        else:  # the supervisor has ended
            self.stop_asked = True
            self._link.close()

    def wake(self) -> None:
        """Make `wait` return; may be called from any thread."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._writing, b"w")


def run(task: Task, link: socket.socket) -> None:
    """Serve until the supervisor or a signal says to stop, or until the supervisor has ended.

    Arguments:
        link: the connection to the supervisor.
    """
    waker = MainThreadWaker(link)
    waker.heed(_STOPS)
    # Not SIG_IGN, which child processes of the application would inherit.
    signal.signal(signal.SIGHUP, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
    task.begin()
    monitor = ExhaustionMonitor(waker.wake, room=room())
    end = start(task, waker.finish)
    link.send(READY)
    _serve(task, link, waker, monitor, end)
    for descriptor in (*(listener.fileno() for listener in task.listeners), *task.others):
        leave(descriptor)
    _linger(waker, end.connection_close)
    task.end()
    end.set()
    while not waker.finished:
        waker.wait(None)


def _serve(
    task: Task, link: socket.socket, waker: MainThreadWaker, monitor: ExhaustionMonitor, servers: Servers
) -> None:
    """Wait until told to stop; ask the supervisor for a replacement, once, if this worker is exhausted."""
    asked, look_at = False, time.monotonic() + LOOK
    while not (waker.stop_asked or waker.retire_asked):
        waker.wait(max(0.0, look_at - time.monotonic()))
        if time.monotonic() >= look_at:
            look_at = time.monotonic() + LOOK
            monitor.look(servers.pools, link.fileno())
        if monitor.why is not None and not asked:
            asked = True
            logger.warning(f"worker-{task.number} is to be replaced: {monitor.why}")
            with contextlib.suppress(OSError):  # the supervisor has ended, so this worker stops next
                link.send(REPLACE)


def _linger(waker: MainThreadWaker, connection_close: ConnectionClose) -> None:
    """Wait for handshakes, first requests and responses without ``Connection: close``; less at a stop of the server."""
    connection_close.leaving = True
    began = since = time.monotonic()
    while (left := _time_left(waker, began, since)) > 0:
        if connection_close.is_due and time.monotonic() < began + _BEGUN:
            since, left = time.monotonic(), min(left, _TICK)
        waker.wait(left)


def _time_left(waker: MainThreadWaker, began: float, since: float) -> float:
    end = began + _LINGER_STOPPED if waker.stop_asked else since + _LINGER_RETIRED
    return end - time.monotonic()


def leave(descriptor: int) -> None:
    """Stop accepting from a listening socket in this process; other processes go on using it.

    The descriptor is replaced by a socket to which nobody connects. The original is removed from the runtime's epoll
    first: it would stay registered while another process has it open, and report connections that are not ours.
    """
    if sys.platform == "linux" and not _forget(descriptor):
        return
    with socket.socket(socket.AF_UNIX if sys.platform == "linux" else socket.AF_INET) as nobody:
        nobody.bind("" if sys.platform == "linux" else ("127.0.0.1", 0))
        nobody.listen(1)
        nobody.setblocking(False)
        os.dup2(nobody.fileno(), descriptor, inheritable=False)


def _forget(descriptor: int) -> bool:
    """Remove ``descriptor`` from every epoll instance of this process (epoll(7)); returns whether it was in one."""
    found = False
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/self/fd/{name}") == "anon_inode:[eventpoll]":
                with select.epoll.fromfd(os.dup(int(name))) as poll:
                    poll.unregister(descriptor)
                    found = True
    return found

"""A worker: Granian's Rust runtime in a process forked from the supervisor, and how it takes its leave.

Told to stop, Granian drops the connections that shake hands, and closes those whose request has not come yet. So a
worker first leaves the listening socket to the others, and is told when what it had begun has had its time::

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

#: Signals that end a worker.
_STOPS = (signal.SIGTERM, signal.SIGINT)
#: Seconds for handshakes and first requests that had begun when the worker left the socket.
_LINGER_RETIRED, _LINGER_STOPPED = 2.0, 0.2
#: Seconds for answers that had begun by then. Those that take longer are still sent whole, but Granian closes their
#: connections then, and clients over HTTP/2 are not to wait for the new program.
_BEGUN = 4.0
_TICK = 0.05  # seconds between two looks at them


@dataclass(kw_only=True)
class Task:
    """What a worker is to do.

    Arguments:
        number: of the worker, from 1.
        listeners: the listening sockets.
        backlog: connections that may wait at it.
        runtimes: makes our side of one of Granian's runtimes.
        parameters: of Granian's Rust worker.
        mode: of its runtime.
        others: descriptors of further shared listening sockets, to be left too.
        begin: called in the worker, before it serves.
        end: called in it when it has left the sockets.
        ipc: where Granian's metrics go; None without.
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
    """Granian's runtimes of one worker: one for each listening socket, for each has but one.

    Arguments:
        finish: called when the connections of all have ended.

    Attributes:
        pools: their threads.
        connection_close: what clients of kept connections are told in the end.
    """

    def __init__(self, finish: Callable[[], None]) -> None:
        self.pools: list[Pool] = []
        self.connection_close = ConnectionClose()
        self._finish = finish
        self._lock = threading.Lock()
        self._ends: list[Any] = []
        self._running = 0

    def new_end(self) -> Any:
        """What the end of one more is asked of."""
        end = WorkerSignal()
        end.add_cb(self._one_has_ended)
        self._ends.append(end)
        self._running += 1
        return end

    def around_at(self, *, is_unix: bool) -> Callable[[Answer], Answer]:
        """What makes of an answer at a Unix or a TCP socket one that leaves the client in order."""
        connection_close = self.connection_close
        return lambda answer: connection_close.around(behind_a_front(answer) if is_unix else answer)

    def set(self) -> None:
        """Let the requests of all finish."""
        for end in self._ends:
            end.set()

    def _one_has_ended(self) -> None:
        with self._lock:
            self._running -= 1
            last = not self._running
        if last:
            self._finish()


def start(task: Task, finish: Callable[[], None] = lambda: None) -> Servers:
    """Start to serve, in threads of Granian's; what it cannot use ends this process (Rust's panic).

    Arguments:
        finish: called when all connections have ended, after the end was asked for.

    Returns:
        what the end is asked of.
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
    """Wakes the main thread of a worker: for signals, for Granian's end, for the supervisor."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self.stop_asked = self.retire_asked = self.finished = False

    def heed(self, numbers: Iterable[int]) -> None:
        """Take signals for the wish to stop, whichever thread they come to: Granian's do not wake the main one."""
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, self._ask_to_stop)

    def _ask_to_stop(self, *_: Any) -> None:
        self.stop_asked = True

    def finish(self) -> None:
        """Granian's connections have ended; called in a thread of its own."""
        self.finished = True
        self.wake()

    def wait(self, seconds: float | None) -> None:
        """Until something has come, or ``seconds`` are over."""
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
        else:  # the supervisor is gone
            self.stop_asked = True
            self._link.close()

    def wake(self) -> None:
        """Have `wait` return; called in any thread."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._writing, b"w")


def run(task: Task, link: socket.socket) -> None:
    """Serve until told to leave, by the supervisor or a signal, or until the supervisor is gone.

    Arguments:
        link: to the supervisor.
    """
    waker = MainThreadWaker(link)
    waker.heed(_STOPS)
    # Not SIG_IGN, which programs that the application starts would inherit.
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
    """Until told to leave; and ask for that, once, when this worker is worn out."""
    asked, look_at = False, time.monotonic() + LOOK
    while not (waker.stop_asked or waker.retire_asked):
        waker.wait(max(0.0, look_at - time.monotonic()))
        if time.monotonic() >= look_at:
            look_at = time.monotonic() + LOOK
            monitor.look(servers.pools, link.fileno())
        if monitor.why is not None and not asked:
            asked = True
            logger.warning(f"worker-{task.number} is to be replaced: {monitor.why}")
            with contextlib.suppress(OSError):  # the supervisor is gone, and this worker goes next
                link.send(REPLACE)


def _linger(waker: MainThreadWaker, connection_close: ConnectionClose) -> None:
    """Give what has begun its time, and clients that know of nothing another answer: less when everything stops."""
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
    """Have this process accept no more connections from a listening socket that others go on to use.

    Its place is taken by a socket to which nobody connects. Before, the socket is taken out of the runtime's epoll:
    there it would stay for as long as another process has it open, and tell of connections when nobody listens.
    """
    if sys.platform == "linux" and not _forget(descriptor):
        return
    with socket.socket(socket.AF_UNIX if sys.platform == "linux" else socket.AF_INET) as nobody:
        nobody.bind("" if sys.platform == "linux" else ("127.0.0.1", 0))
        nobody.listen(1)
        nobody.setblocking(False)
        os.dup2(nobody.fileno(), descriptor, inheritable=False)


def _forget(descriptor: int) -> bool:
    """Take ``descriptor`` out of every epoll of this process (epoll(7)); returns whether it was in one."""
    found = False
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/self/fd/{name}") == "anon_inode:[eventpoll]":
                with select.epoll.fromfd(os.dup(int(name))) as poll:
                    poll.unregister(descriptor)
                    found = True
    return found

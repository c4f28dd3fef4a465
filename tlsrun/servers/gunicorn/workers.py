"""gunicorn's gthread and sync workers, with the reactor in place of the accept, handshake and close that block."""

from __future__ import annotations

import functools
import io
import logging
import os
import resource
import time
from types import FrameType
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker
from gunicorn.workers.sync import SyncWorker

from tlsrun.account import Account
from tlsrun.connections.connection import Connection
from tlsrun.connections.reactor import Reactor
from tlsrun.connections.stages import ConnectionLimits
from tlsrun.servers.gunicorn.awaited import awaited
from tlsrun.servers.gunicorn.older import refuse_doubled
from tlsrun.threads.leader import LeaderFollowers
from tlsrun.threads.listener import TLSListener

_log = logging.getLogger("gunicorn.error")

#: Seconds that a stopping worker gives connections which have not sent their request yet, as gthread does.
_STOP_LINGER = 2.0
#: Seconds for the rest of a body that the application did not read, before its connection is given up.
_DRAIN = 0.2
#: Seconds between two heartbeats to the master, which kills a worker after gunicorn's ``timeout`` (at least 1).
_NOTIFY = 0.5
#: Seconds between two checks whether a stopping worker is done.
_STOP_LOOK = 0.02
#: Descriptors that a worker needs for other things than connections.
_OTHER_FILES = 64
#: gunicorn's own bounds of the number and size of header fields, where its settings name none.
_MAX_FIELDS, _FIELD_SIZE = 32768, 8190
#: Most bytes of a head that are waited for, whatever the settings allow: a thread reads the rest.
_MAX_HEAD = 1 << 22


class TLSThreadWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """gthread: its threads run the reactor, and answer connections whose request head is complete.

    The main thread handles signals, and sends the master its heartbeats.
    """

    reactor: Reactor | None = None
    _no_processor_idles = True

    def init_process(self) -> None:
        """Called by gunicorn after the fork."""
        _leave_roots_group(self.app.plan.account)
        super().init_process()

    def get_thread_pool(self) -> LeaderFollowers[Connection]:
        """Called by gunicorn after the fork, with signals held back: too early to start threads."""
        return LeaderFollowers(
            self._answer, inline=self._inline, limit=self.cfg.threads, name="gunicorn-request", log=_log
        )

    def _inline(self, connection: Connection) -> bool:
        """Whether the thread that runs the reactor may answer the request itself at no loss.

        The threads share one interpreter, but handshakes run without its lock: when there are more processors than
        workers, it is better to start the next ones meanwhile.
        """
        return self._no_processor_idles or connection.tag is not None

    def run(self) -> None:
        """Serve until told to stop, then finish the requests in progress."""
        self._no_processor_idles = self.cfg.workers >= _processors()
        self.reactor = reactor = Reactor(
            self.sockets,
            self.app.certificates.context,
            self.tpool.put,
            limits=_limits(self, patience=self.cfg.timeout),
            capacity=self.cfg.threads,
            max_waiting=_room(self.cfg),
            share=self.app.shares.of(self.age) if self.cfg.workers > 1 else None,
        )
        # First pick up certificates renewed since the master read them: the pool accepts connections at once.
        self.app.background.start()
        self.tpool.start(reactor.step, reactor.wake)
        self.app.readiness.say()
        noted = 0.0
        while self.alive:
            # Two system calls, which under load would be two for each request.
            if time.monotonic() - noted >= _NOTIFY:
                noted = time.monotonic()
                self.notify()
                if not self.is_parent_alive():
                    break
            self.tpool.supervise(_NOTIFY)
        self._finish(reactor)
        self.app.background.stop()
        self.tpool.shutdown()
        reactor.close()
        for listener in self.sockets:
            listener.close()

    def _finish(self, reactor: Reactor) -> None:
        reactor.stop_accepting()
        reactor.hurry(_STOP_LINGER)
        deadline = time.monotonic() + self.cfg.graceful_timeout
        while reactor.busy and time.monotonic() < deadline:
            self.notify()
            self.tpool.supervise(_STOP_LOOK)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop gracefully (SIGTERM)."""
        self.alive = False
        if self.tpool is not None:
            self.tpool.ring()

    def handle_request(self, req: Any, conn: Any) -> Any:
        """As gunicorn's; a failure in mid-answer is told to the socket."""
        refuse_doubled(req)
        return conn.sock.answer(super().handle_request, req, conn)

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        """Whether the unread rest of a body has arrived and can be discarded; gunicorn would wait 5 seconds for it."""
        return keepalive and bool(conn.parser.finish_body(deadline=time.monotonic() + _DRAIN))

    def _answer(self, connection: Connection) -> None:
        """Answer one request, in a thread of the pool."""
        reactor = self.reactor
        assert reactor is not None  # noqa: S101 -- it delivered the connection
        try:
            if not reactor.takes_back(connection):
                self._answer_wanted(reactor, connection)
        finally:
            if not self.alive:
                self.tpool.ring()

    def _answer_wanted(self, reactor: Reactor, connection: Connection) -> None:
        keep = False
        try:
            keep = self._handle(connection)
        finally:
            if keep:
                seconds = self.cfg.keepalive
                reactor.park(connection, seconds if self.alive else min(seconds, _STOP_LINGER))
            else:
                reactor.dismiss(connection)

    def _handle(self, connection: Connection) -> bool:
        conn = connection.tag
        if conn is None:
            server = connection.listener.getsockname()
            conn = connection.tag = TConn(self.cfg, connection.sock, connection.address, server)
        conn.data_ready = True
        if self.handle(conn) is not True:
            return False
        connection.sock.flush()
        # What was read beyond this request belongs to the next one, whose head the reactor waits for.
        buffer = conn.parser.unreader.buf
        if left := buffer.getvalue():
            conn.parser.unreader.buf = io.BytesIO()
            connection.sock.unread(left)
        return True


class TLSSyncWorker(SyncWorker):  # type: ignore[misc]  # gunicorn ships no types
    """sync: one request at a time, from a listener whose connections are ready to answer."""

    sockets: list[Any]

    def init_process(self) -> None:
        """Called by gunicorn after the fork."""
        _leave_roots_group(self.app.plan.account)
        super().init_process()

    def run(self) -> None:
        """Serve until told to stop, then finish the requests in progress."""
        plain = self.sockets
        listener = TLSListener(
            plain,
            self.app.certificates.context,
            # gunicorn kills a sync worker that was silent for `timeout`: slow clients must be dropped before that.
            limits=_limits(self, patience=self.cfg.timeout / 2),
            max_waiting=_room(self.cfg),
            patience=_NOTIFY,
            alarm=self.PIPE[0],
        )
        self.sockets = [listener]
        self.app.background.start()
        listener.start()
        self.app.readiness.say()
        super().run()
        self._finish(listener)
        for one in plain:
            one.close()

    def accept(self, listener: Any) -> None:
        """As gunicorn's, but stop if the master is gone, which gunicorn checks only when idle."""
        if self.is_parent_alive():
            super().accept(listener)
        else:
            self.alive = False

    def wait(self, timeout: float) -> None:
        """Called by gunicorn when `TLSListener.accept` returned no connection: the waiting is already done."""

    def handle_request(self, listener: Any, req: Any, client: Any, addr: Any) -> None:
        """As gunicorn's; a failure in mid-answer is told to the socket."""
        refuse_doubled(req)
        client.answer(super().handle_request, listener, req, client, addr)

    def _finish(self, listener: TLSListener) -> None:
        began = time.monotonic()
        listener.stop_accept()
        for sock, address in listener.drain(_STOP_LINGER, self.notify):
            sock.setblocking(True)
            self.handle(listener, sock, address)
        listener.close(
            _STOP_LINGER, self.notify, flushing=max(0.0, began + self.cfg.graceful_timeout - time.monotonic())
        )
        self.app.background.stop()


def _processors() -> int:
    """The number of descriptors this process may open."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _leave_roots_group(account: Account | None) -> None:
    """Set the group: gunicorn sets user and groups, and stays in root's group (gunicorn.util.set_owner_process)."""
    if account is not None:
        os.setgid(account.gid)


def _limits(worker: Any, *, patience: float) -> ConnectionLimits:
    seconds = worker.app.plan.handshake_timeout
    return ConnectionLimits(
        handshake_timeout=seconds,
        head_timeout=seconds,
        patience=patience or None,
        max_head=_max_head(worker.cfg),
        awaited=functools.partial(awaited, most=ConnectionLimits.max_body),
    )


def _max_head(cfg: Any) -> int:
    """Most bytes of a head that gunicorn reads; it refuses a longer one at once (its http.message)."""
    fields = cfg.limit_request_fields if 0 < cfg.limit_request_fields <= _MAX_FIELDS else _MAX_FIELDS
    size = cfg.limit_request_field_size if cfg.limit_request_field_size > 0 else _FIELD_SIZE
    head: int = max(0, cfg.limit_request_line) + fields * (size + 2) + 4
    return min(_MAX_HEAD, head)


def _room(cfg: Any) -> int:
    """How many connections may wait: ``worker_connections``, or fewer if descriptors are short."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted: int = cfg.worker_connections
    if soft != resource.RLIM_INFINITY:
        wanted = min(wanted, soft - _OTHER_FILES - cfg.threads)
    return max(1, wanted)

"""The pages from Flask under gunicorn, in workers that keep clocks: whose the processor time of a connection is.

Each thread's own clock (CLOCK_THREAD_CPUTIME_ID, clock_gettime(3)) is read whenever one's code calls another's, so what
is counted is processor time, in the kernel too, and no waiting: neither for the client nor for the interpreter.
"""

from __future__ import annotations

import functools
import os
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import flask
import gunicorn.sock
from gunicorn.http import wsgi
from gunicorn.workers.gthread import ThreadWorker
from gunicorn.workers.sync import SyncWorker

from benchmarks.apps.flask_app import app
from tlsrun.connections.request_socket import RequestSocket
from tlsrun.connections.server_context import ServerContext
from tlsrun.servers.gunicorn import workers
from tlsrun.wsgi.application import Application

#: The parts: what is in none of them is the rest, tlsrun's or the bare server's.
TLS, FLASK, GUNICORN, REST = "tls", "flask", "gunicorn", "rest"

__all__ = ["app"]

_local = threading.local()
_ledgers: list[_Ledger] = []


class _Ledger:
    """One thread's: nanoseconds of each part, and the parts that it is in, the innermost last."""

    def __init__(self) -> None:
        self.spent = {TLS: 0, FLASK: 0, GUNICORN: 0, REST: 0}
        self.within: list[str] = []
        self.since = 0
        self.connections = 0

    def turn(self) -> None:
        """What has passed since the last turn is the innermost part's."""
        now = time.thread_time_ns()
        if self.within:
            self.spent[self.within[-1]] += now - self.since
        self.since = now


def _ledger() -> _Ledger:
    try:
        found: _Ledger = _local.ledger
    except AttributeError:
        found = _local.ledger = _Ledger()
        _ledgers.append(found)
    return found


def _counted(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def inside(*arguments: Any, **named: Any) -> Any:
        ledger = _ledger()
        ledger.turn()
        ledger.within.append(part)
        try:
            return function(*arguments, **named)
        finally:
            ledger.turn()
            ledger.within.pop()

    return inside


def _count(part: str, owner: Any, *names: str) -> None:
    for name in names:
        setattr(owner, name, _counted(part, getattr(owner, name)))


def _connect(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def connect(*arguments: Any, **named: Any) -> Any:
        _ledger().connections += 1
        return function(*arguments, **named)

    return connect


def _keep_clocks() -> None:
    _count(TLS, ssl.SSLSocket, "do_handshake", "read", "send", "unwrap")
    create = vars(ssl.SSLSocket)["_create"].__func__
    ssl.SSLSocket._create = classmethod(_counted(TLS, _connect(create)))  # type: ignore[attr-defined]
    _count(TLS, gunicorn.sock, "ssl_wrap_socket")
    _count(FLASK, flask.Flask, "__call__")
    _count(GUNICORN, ThreadWorker, "handle", "handle_request")
    _count(GUNICORN, SyncWorker, "handle", "handle_request")
    _count(GUNICORN, wsgi.Response, "start_response")
    _count(REST, ServerContext, "wrap_socket")
    _count(REST, Application, "__call__")
    for own in (workers.TLSThreadWorker, workers.TLSSyncWorker):
        _count(REST, own, "handle_request")
    _count(REST, RequestSocket, "recv", "sendall", "shutdown", "close")


@app.get("/clocks")
def clocks() -> dict[str, Any]:
    """This worker's, in seconds; and what it has spent by all clocks together."""
    spent = {part: sum(one.spent[part] for one in _ledgers) / 1e9 for part in (TLS, FLASK, GUNICORN)}
    total = time.process_time()
    return {
        "worker": os.getpid(),
        "connections": sum(one.connections for one in _ledgers),
        "spent": {**spent, REST: total - sum(spent.values())},
    }


_keep_clocks()

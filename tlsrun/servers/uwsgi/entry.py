"""The functions that uWSGI calls, by their names on its command line."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from tlsrun.listening.notify import show
from tlsrun.servers.uwsgi import edges
from tlsrun.servers.uwsgi.control import ControlMule, note
from tlsrun.servers.uwsgi.service import RELOAD, STOP, handed_over
from tlsrun.servers.uwsgi.signal_block import redeliver, unblock

_log = logging.getLogger("tlsrun.uwsgi")

_CONTROL = "mule1"
_PAUSE = 1.0  # seconds before a mule that failed is started again


def application() -> Callable[..., Any]:
    """The live application; called once, in the master, before it forks."""
    import uwsgi

    redeliver()
    service = handed_over()
    sys.argv[:] = service.argv
    show(service.notify_socket)
    uwsgi.post_fork_hook = _after_fork
    for number in (*STOP, RELOAD):
        uwsgi.register_signal(int(number), _CONTROL, note)
    return service.taken_back.excepted(service.application)


def control() -> None:
    """The first mule: orders stop and reload."""
    _run_mule("the control mule", lambda: ControlMule(handed_over()).run())


def edge() -> None:
    """Every other mule: ends TLS."""
    import uwsgi

    number = uwsgi.mule_id() - 1
    _run_mule("an edge", lambda: edges.run(handed_over(), number))


def _after_fork() -> None:
    import uwsgi

    if not uwsgi.mule_id():  # a worker, which has no handlers yet
        unblock(*STOP)
    # The master has a handler for it, so that it notices at once when a child ends.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _run_mule(what: str, run: Callable[[], None]) -> None:
    """Run until ``run`` returns; uWSGI restarts a mule that ends, unless uWSGI itself is stopping."""
    status = 0
    try:
        run()
    except Exception:
        _log.exception("%s failed and is started again", what)
        status = 1
        threading.Event().wait(_PAUSE)
    # Not by returning: uWSGI would tear the interpreter down without holding its lock.
    logging.shutdown()
    os._exit(status)

"""One start of uWSGI, in this process, which ends with it."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from tlsrun.deciding.plan import Plan
from tlsrun.forking.main_thread import need_the_main_thread
from tlsrun.listening.address import url_of
from tlsrun.listening.inherited import keep
from tlsrun.listening.notify import hide, watchdog_interval
from tlsrun.optional import require
from tlsrun.reloading.predecessors import Predecessors
from tlsrun.reloading.program import remember_what_was_added
from tlsrun.reloading.trial import ends_here
from tlsrun.servers.background import BackgroundServices
from tlsrun.servers.certificates import certificates_of
from tlsrun.servers.uwsgi.command import command_line, number
from tlsrun.servers.uwsgi.options import read
from tlsrun.servers.uwsgi.place import settle
from tlsrun.servers.uwsgi.service import Service, hand_over
from tlsrun.servers.uwsgi.shared_state import SharedState
from tlsrun.servers.uwsgi.signal_block import record
from tlsrun.servers.uwsgi.wanted import TakenBack
from tlsrun.started import UWSGI_RELOADS

_log = logging.getLogger("tlsrun.uwsgi")

_MOST_EDGES = 8


def launch(plan: Plan, application: Callable[..., Any]) -> int:
    """Serve until uWSGI is told to stop (SIGTERM, SIGINT); requests in flight finish.

    SIGHUP (and a file of ``touch-reload``) loads everything again (`tlsrun.reloading`) by uWSGI's own reload: this
    interpreter is executed again with the same command line, in the same process, while connections wait.

    Returns:
        never, when uWSGI runs: it ends the process, with its exit code.

    Raises:
        ConfigurationError: see `tlsrun.servers.server.Server.launch`.
    """
    need_the_main_thread("uwsgi", "uWSGI")
    options = read(plan)
    pyuwsgi = require("pyuwsgi", extra="uwsgi", wanted_by="uwsgi")
    certificates = certificates_of(plan)
    ends_here()
    packet, mercy = number(options, "buffer-size"), number(options, "worker-reload-mercy")
    edges = _edges(plan.workers)
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: F401 -- an edge that is started again then has it already
    place = settle(
        plan.listeners,
        plan.redirect_listeners,
        backlog=number(options, "listen"),
        user=options.get("uid"),
        group=options.get("gid"),
    )
    plan = plan.settled(place.listening)
    if UWSGI_RELOADS not in os.environ:
        _log.info("listening on %s", ", ".join(url_of(listener) for listener in plan.listeners))
    keep()  # uWSGI takes all sockets of systemd, and speaks the uwsgi protocol there
    hand_over(
        Service(
            application=application,
            certificates=certificates,
            background=BackgroundServices(plan, certificates, redirect=place.redirecting.sockets),
            place=place,
            trusted=plan.front.peers,
            handshake_timeout=plan.handshake_timeout,
            mercy=mercy,
            packet=packet,
            shared_state=SharedState(edges),
            taken_back=TakenBack(),
            argv=tuple(sys.argv),
            watchdog=watchdog_interval(),
            notify_socket=hide(),
        )
    )
    _see_off(mercy)
    remember_what_was_added()
    sys.stdout.flush()
    pyuwsgi.run([*command_line(plan, place, options, edges=edges), *(f"--safe-fd={one}" for one in record())])
    return 0


def _see_off(mercy: float) -> None:
    """Let the workers of another server finish, the one that the settings named before a reload. New clients wait at
    the open port meanwhile, as in every reload of uWSGI, which would not look after those workers once it runs.

    Arguments:
        mercy: seconds that they have.
    """
    predecessors = Predecessors()
    predecessors.retire()
    predecessors.see_off(mercy)
    predecessors.kill()


def _edges(workers: int) -> int:
    """How many edges keep as many workers busy, on this many processors; an edge costs less than most applications."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(workers, processors, _MOST_EDGES * 2) // 2)

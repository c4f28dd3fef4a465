"""uWSGI, from pyuwsgi in this process; edges, which are mules of its own, end TLS in front of the workers.

PyPI's wheels have no SSL, and uWSGI's own tells an application little. So an edge takes the connections, and speaks the
uwsgi protocol to the workers' Unix socket. The master keeps the listening socket open, whatever happens to an edge.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from tlsrun.deciding.facts import ServerFacts
from tlsrun.deciding.plan import Plan
from tlsrun.errors import Problem
from tlsrun.listening.address import url_of
from tlsrun.listening.inherited import keep
from tlsrun.listening.notify import hide, watchdog_interval
from tlsrun.optional import how_to_install, is_installed, require, version_of
from tlsrun.reloading.predecessors import Predecessors
from tlsrun.reloading.program import remember_what_was_added
from tlsrun.reloading.trial import ends_here
from tlsrun.servers.certificates import certificates_of
from tlsrun.servers.duties import Duties
from tlsrun.servers.forking import need_the_main_thread, why_not_here
from tlsrun.settings.mapping import Cell, Ours, To, Unsupported

_log = logging.getLogger("tlsrun.uwsgi")

NAME = "uwsgi"
TITLE = "uWSGI"
EXTRA: str | None = "uwsgi"

_EDGE = Ours("the edge in front of the workers")
_SOCKET = Ours("a socket that stays open over reloads")

#: What it speaks well.
HTTP = ("1.1",)

MAPPING: Mapping[str, Cell] = {
    "cert": _EDGE,
    "key": _EDGE,
    "key_password": _EDGE,
    "key_password_file": _EDGE,
    "key_password_command": _EDGE,
    "chain": _EDGE,
    "server": Ours("this one"),
    "host": _SOCKET,
    "port": _SOCKET,
    "bind": _SOCKET,
    "workers": To("workers"),
    "threads": To("threads"),
    "http": Unsupported("speaks HTTP/1.1 only: what its workers hear is the uwsgi protocol", accepts=((), HTTP)),
    "profile": _EDGE,
    "min_version": _EDGE,
    "max_version": _EDGE,
    "ciphers": _EDGE,
    "groups": _EDGE,
    "context_hook": _EDGE,
    "reload": Ours(
        "a thread in each edge watches the files, workers know no certificates; SIGHUP loads everything anew"
    ),
    "sni": _EDGE,
    "sni_strict": _EDGE,
    "client_ca": _EDGE,
    "client_auth": _EDGE,
    "client_crl": _EDGE,
    "client_facts": Ours("a client's certificate is in environ"),
    "redirect_port": Ours("a listener of its own"),
    "hosts": Ours("the redirect listener"),
    "acme_webroot": Ours("the redirect listener"),
    "hsts": Ours("a header added to the application's answers"),
    "trusted_proxies": Ours("the middleware around the application"),
    "proxy": Ours("the middleware around the application"),
    "proxy_drops_underscores": Ours("dropped here in any case"),
    "redirect_exempt": Ours("the middleware around the application"),
    "proxy_protocol": _EDGE,
    "user": To("uid"),
    "group": To("gid"),
    "handshake_timeout": _EDGE,
    "server_options": Ours("uWSGI's own options, untouched"),
}
_MOST_EDGES = 8


def probe() -> ServerFacts:
    """What is known of uWSGI on this machine. Nothing of it is imported."""
    missing = elsewhere = why_not_here(NAME)
    if elsewhere is None and not is_installed("pyuwsgi"):
        remedy = how_to_install(NAME)
        missing = Problem(where=NAME, what="pyuwsgi is not installed", remedy=remedy, code="TLS301")
    version = version_of("pyuwsgi")
    return ServerFacts(
        name=NAME,
        title=TITLE,
        version=version,
        missing=missing,
        elsewhere=elsewhere is not None,
        mapping=MAPPING,
        http=HTTP,
    )


def option_targets() -> frozenset[str]:
    """The options that the installed uWSGI has; empty where it is not installed."""
    from tlsrun.servers.uwsgi.options import known_options

    return known_options()


def launch(plan: Plan, application: Callable[..., Any]) -> int:
    """Serve until uWSGI is told to stop (SIGTERM, SIGINT); requests in flight finish.

    SIGHUP (and a file of ``touch-reload``) loads everything anew (`tlsrun.reloading`) by uWSGI's own reload: this
    interpreter is executed anew with the same command line, in the same process, while connections wait.
    To be called in the main thread, with no other thread running: uWSGI forks.

    Returns:
        never, when uWSGI runs: it ends the process, with its exit code.

    Raises:
        ConfigurationError: ``server_options`` has what uWSGI has not, refuses, or what fights with ours; or this is
            not the main thread.
    """
    from tlsrun.servers.uwsgi.board import Board
    from tlsrun.servers.uwsgi.command import command_line, number
    from tlsrun.servers.uwsgi.hold import write_down
    from tlsrun.servers.uwsgi.options import user_options
    from tlsrun.servers.uwsgi.place import settle
    from tlsrun.servers.uwsgi.service import Service, hand_over
    from tlsrun.servers.uwsgi.wanted import TakenBack

    need_the_main_thread(NAME, TITLE)
    options = user_options(plan.server_options, option_targets())
    if plan.account is not None:
        options = {"uid": str(plan.account.uid), "gid": str(plan.account.gid), **options}
    pyuwsgi = require("pyuwsgi", extra=NAME, wanted_by=NAME)
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
    if "UWSGI_RELOADS" not in os.environ:
        _log.info("listening on %s", ", ".join(url_of(listener) for listener in plan.listeners))
    keep()  # uWSGI takes all sockets of systemd, and speaks the uwsgi protocol there
    hand_over(
        Service(
            application=application,
            certificates=certificates,
            duties=Duties(plan, certificates, redirect=place.redirecting.sockets),
            place=place,
            trusted=plan.front.peers,
            handshake_timeout=plan.handshake_timeout,
            mercy=mercy,
            packet=packet,
            board=Board(edges),
            taken_back=TakenBack(),
            argv=tuple(sys.argv),
            watchdog=watchdog_interval(),
            notify_socket=hide(),
        )
    )
    _see_off(mercy)
    remember_what_was_added()
    sys.stdout.flush()
    pyuwsgi.run([*command_line(plan, place, options, edges=edges), *(f"--safe-fd={one}" for one in write_down())])
    return 0


def _see_off(mercy: float) -> None:
    """Let the workers of another server finish, which the settings named before a reload. Who comes meanwhile waits in
    the open port, as at every reload of uWSGI: once it runs, nobody would look after them.

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

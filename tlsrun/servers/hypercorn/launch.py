"""Starts the server, in this order: certificates, sockets, configuration, supervisor."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypercorn.config import Config

from tlsrun.deciding.plan import Plan
from tlsrun.errors import ConfigurationError, Problem
from tlsrun.forking.main_thread import need_the_main_thread
from tlsrun.forking.supervisor import Supervisor
from tlsrun.handover import received
from tlsrun.listening.address import Listener, url_of
from tlsrun.listening.kept import close_others, take_datagrams
from tlsrun.listening.opening import Listening, open_all, open_redirecting
from tlsrun.optional import is_installed
from tlsrun.reloading.trial import ends_here
from tlsrun.servers.background import BackgroundServices
from tlsrun.servers.broken import broken_for
from tlsrun.servers.certificates import certificates_of
from tlsrun.servers.hypercorn.announcing import Announcement
from tlsrun.servers.hypercorn.options import OPTIONS, THREADS, read
from tlsrun.servers.hypercorn.site import HypercornWorkerConfig
from tlsrun.servers.hypercorn.workers import SEATS, Hypercorn
from tlsrun.wsgi.chunked import for_bottle

if TYPE_CHECKING:
    from tlsrun.servers.hypercorn.datagram_forwarder import DatagramForwarder


def launch(plan: Plan, application: Callable[..., Any]) -> int:
    """Serve until told to stop (SIGTERM, SIGINT); requests in flight finish first.

    Returns:
        0, or 1 if a worker could not be started.

    Raises:
        ConfigurationError: see `tlsrun.servers.server.Server.launch`.
    """
    options = read(plan)
    need_the_main_thread("hypercorn", "Hypercorn")
    certificates = certificates_of(plan)
    ends_here(lambda: _config(options))
    with contextlib.ExitStack() as stack:
        listening = None
        if plan.policy.alpn:
            listening = stack.enter_context(_listening(plan, options["backlog"]))
            plan = plan.settled(listening)
        datagrams: list[socket.socket] = []
        post = None
        if "3" in plan.http:
            datagrams = _datagrams(plan)
            for made in datagrams:
                stack.enter_context(made)
            post = _post(plan)
            stack.callback(post.close)
            if listening is None:
                endpoint = replace(plan.endpoint, port=datagrams[0].getsockname()[1])
                plan = replace(plan, endpoint=endpoint, listening=(Listener(place=endpoint),))
        redirecting = stack.enter_context(open_redirecting(plan.redirect_listeners))
        close_others()
        site = HypercornWorkerConfig(
            application=for_bottle(application) if plan.framework == "bottle" else application,
            broken=broken_for(plan.framework),
            certificates=certificates,
            background=BackgroundServices(plan, certificates, redirect=redirecting.sockets),
            config=_config(options),
            listeners=listening.sockets if listening else (),
            datagrams=tuple(datagrams),
            post=post,
            address=(plan.endpoint.host, plan.endpoint.port),
            announcement=_announcement(plan, options),
            handshake_timeout=plan.handshake_timeout,
            threads=plan.threads or THREADS,
            workers=plan.workers,
            speaks_http1="1.1" in plan.http,
            software=f"hypercorn/{importlib.metadata.version('hypercorn')}",
            account=plan.account,
            uvloop=_wants_uvloop(options),
        )
        words = ", ".join(url_of(place) for place in plan.listeners)
        server = Hypercorn(site, listening=listening, redirect=redirecting.sockets, words=words)
        return Supervisor(server).serve()


def _announcement(plan: Plan, options: dict[str, Any]) -> Announcement:
    """Return the Alt-Svc header; none of ours if the option ``alt_svc_headers`` is set, which goes to all clients."""
    told = "3" in plan.http and not options.get("alt_svc_headers")
    return Announcement(plan.endpoint.port if told else 0, plan.front.peers)


def _config(options: dict[str, Any]) -> Config:
    config = Config()
    for name, value in options.items():
        if name != "worker_class":
            setattr(config, name, value)
    try:
        _ = config.log  # opens the log files
    except Exception as error:  # dictConfig() raises anything
        what = f"Hypercorn cannot log so: {error}"
        raise ConfigurationError([Problem(where=OPTIONS.where("logconfig"), what=what, remedy="Correct it")]) from error
    return config


def _wants_uvloop(options: dict[str, Any]) -> bool:
    if options.get("worker_class") == "uvloop" and not is_installed("uvloop"):
        where, remedy = OPTIONS.where("worker_class"), "Run: pip install uvloop"
        raise ConfigurationError([Problem(where=where, what="uvloop is not installed", remedy=remedy)])
    return options.get("worker_class") != "asyncio" and is_installed("uvloop")


def _listening(plan: Plan, backlog: int) -> Listening:
    opened = open_all(plan.listeners, backlog=backlog)
    for sock in opened.sockets:
        sock.setblocking(False)
    return opened


def _post(plan: Plan) -> DatagramForwarder:
    # Imported here: aioquic need not be installed without HTTP/3.
    from tlsrun.servers.hypercorn.datagram_forwarder import DatagramForwarder

    return DatagramForwarder(SEATS * plan.workers, received().state.get("post"))


def _datagrams(plan: Plan) -> list[socket.socket]:
    from tlsrun.servers.hypercorn.datagrams import bind

    endpoint = plan.endpoint
    try:
        kept = take_datagrams(endpoint)
        return bind(endpoint.host, endpoint.port, endpoint.family, workers=plan.workers, kept=kept)
    except OSError as error:
        where = f"port, by UDP, ({endpoint.authority})"
        what = f"it cannot be bound: {os.strerror(error.errno) if error.errno else error}"
        remedy = "Stop what holds it (`ss -lntup` shows what), or choose another"
        raise ConfigurationError([Problem(where=where, what=what, remedy=remedy, code="TLS211")]) from error

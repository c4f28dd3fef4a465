"""One start, in the order in which it happens: sockets, certificates, configuration, the supervisor."""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypercorn.config import Config

from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError, Problem
from tlsrun.optional import is_installed
from tlsrun.plan import Plan
from tlsrun.servers.certificates import certificates_of
from tlsrun.servers.duties import Duties
from tlsrun.servers.forking import need_the_main_thread
from tlsrun.servers.hypercorn.options import OPTIONS, THREADS
from tlsrun.servers.hypercorn.supervisor import Supervisor
from tlsrun.servers.hypercorn.worker import HELD, Site, run
from tlsrun.tls.redirect import bind
from tlsrun.wsgi.chunked import for_bottle

_log = logging.getLogger("tlsrun.hypercorn")


def serve(plan: Plan, application: Callable[..., Any], options: dict[str, Any]) -> int:
    """Serve until told to stop; see `tlsrun.servers.hypercorn.launch`.

    Arguments:
        options: Hypercorn's, checked.
    """
    need_the_main_thread("hypercorn", "Hypercorn")
    certificates = certificates_of(plan)
    host, port = plan.endpoint.host, plan.endpoint.port
    with contextlib.ExitStack() as stack:
        listener = None
        if plan.policy.alpn:
            listener = stack.enter_context(_bound("port", plan.endpoint, lambda: _listen(plan.endpoint, options)))
            port = listener.getsockname()[1]
        datagrams: list[socket.socket] = []
        if "3" in plan.http:
            datagrams = _bound("port, by UDP,", plan.endpoint, lambda: _bind_datagrams(plan, host, port))
            for made in datagrams:
                stack.enter_context(made)
            port = datagrams[0].getsockname()[1]
            # Where HTTP/3 is to be had (RFC 9114, section 3.1.1).
            options.setdefault("alt_svc_headers", [f'h3=":{port}"; ma=86400'])
        plan = replace(plan, endpoint=replace(plan.endpoint, port=port))
        redirect = None
        if (number := plan.redirect_port) is not None:
            at = Endpoint(host=host, port=number)
            redirect = stack.enter_context(_bound("redirect_port", at, lambda: bind(host, number)))
        site = Site(
            application=for_bottle(application) if plan.framework == "bottle" else application,
            certificates=certificates,
            duties=Duties(plan, certificates, redirect_socket=redirect),
            config=_config(options),
            listener=listener,
            datagrams=tuple(datagrams),
            address=(host, port),
            handshake_timeout=plan.handshake_timeout,
            threads=plan.threads or THREADS,
            workers=plan.workers,
            speaks_http1="1.1" in plan.http,
            software=f"hypercorn/{importlib.metadata.version('hypercorn')}",
            account=plan.account,
            uvloop=_wants_uvloop(options),
        )
        supervisor = Supervisor(
            lambda number, link: run(site, number, link),
            workers=plan.workers,
            grace=options["graceful_timeout"],
            reload=certificates.reload,
            ready=lambda: _log.info("serving on %s", plan.endpoint.url),
            # Who comes now is told at once that nobody is here.
            leave=lambda: listener and listener.close(),
            held=HELD,
        )
        return supervisor.serve()


def _config(options: dict[str, Any]) -> Config:
    config = Config()
    for name, value in options.items():
        if name != "worker_class":
            setattr(config, name, value)
    try:
        _ = config.log  # opens its files
    except Exception as error:  # dictConfig() raises anything
        what = f"Hypercorn cannot log so: {error}"
        raise ConfigurationError([Problem(where=OPTIONS.where("logconfig"), what=what, remedy="Correct it")]) from error
    return config


def _wants_uvloop(options: dict[str, Any]) -> bool:
    if options.get("worker_class") == "uvloop" and not is_installed("uvloop"):
        where, remedy = OPTIONS.where("worker_class"), "Run: pip install uvloop"
        raise ConfigurationError([Problem(where=where, what="uvloop is not installed", remedy=remedy)])
    return options.get("worker_class") != "asyncio" and is_installed("uvloop")


def _listen(endpoint: Endpoint, options: dict[str, Any]) -> socket.socket:
    made = socket.create_server(
        (endpoint.host, endpoint.port),
        family=endpoint.family,
        backlog=options["backlog"],
        dualstack_ipv6=endpoint.host == "::" and socket.has_dualstack_ipv6(),
    )
    # Accepted sockets inherit it (tcp(7)): small answers are sent at once.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setblocking(False)
    return made


def _bind_datagrams(plan: Plan, host: str, port: int) -> list[socket.socket]:
    from tlsrun.servers.hypercorn import quic

    return quic.bind(host, port, plan.endpoint.family, workers=plan.workers)


def _bound(setting: str, endpoint: Endpoint, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except OSError as error:
        what = f"it cannot be bound: {os.strerror(error.errno) if error.errno else error}"
        remedy = "Stop what holds it (`ss -lntup` shows what), or choose another"
        raise ConfigurationError([
            Problem(where=f"{setting} ({endpoint.authority})", what=what, remedy=remedy, code="TLS211")
        ]) from error

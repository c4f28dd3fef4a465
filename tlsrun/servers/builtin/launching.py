"""From a plan to a server that listens: sockets, certificates, the application in its wrappers."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import socket
from collections.abc import Callable
from typing import Any

from tlsrun.account import become
from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError, Problem
from tlsrun.optional import is_installed
from tlsrun.plan import Plan
from tlsrun.servers.builtin import development, lifecycle
from tlsrun.servers.builtin.options import Options, read_options
from tlsrun.servers.builtin.server import Server, listen
from tlsrun.servers.builtin.with_stdlib import StandardHandler
from tlsrun.servers.builtin.work import Work
from tlsrun.servers.certificates import certificates_of
from tlsrun.servers.duties import Duties
from tlsrun.tls import redirect
from tlsrun.wsgi.chunked import for_bottle

_log = logging.getLogger("tlsrun.builtin")


def run(plan: Plan, application: Callable[..., Any]) -> int:
    """As `tlsrun.servers.builtin.launch`."""
    options = read_options(plan.server_options)
    # Bottle's reloader is its own: this process is its child already.
    watched = plan.development.reloads and plan.framework != "bottle"
    with contextlib.ExitStack() as stack:
        sock, redirecting = development.inherited()
        begins = sock is None
        if sock is None:
            sock = _bound("port", plan.endpoint, lambda: listen(plan.endpoint, options.backlog))
            redirecting = _redirecting(plan)
        stack.enter_context(sock)
        if redirecting is not None:
            stack.enter_context(redirecting)
        # The system chose the port when none was named.
        endpoint = Endpoint(host=plan.endpoint.host, port=sock.getsockname()[1])
        plan = dataclasses.replace(plan, endpoint=endpoint)
        if begins:
            _log.info("listening on %s", endpoint.url)
        if begins and watched:
            return development.run_children(sock, redirecting)
        certificates = certificates_of(plan)
        server = Server(
            sock,
            certificates.context,
            _wrapped(application, plan, options),
            _handler(plan),
            options=options,
            work=Work(plan.threads),
            quiet=plan.quiet,
        )
        duties = Duties(plan, certificates, redirect_socket=redirecting)
        if plan.account is not None:
            become(plan.account)
        if watched:
            return development.serve_watched(server, duties, plan, options)
        return lifecycle.serve(server, duties)


def _wrapped(application: Callable[..., Any], plan: Plan, options: Options) -> Callable[..., Any]:
    if plan.framework == "bottle":
        return for_bottle(application)
    return development.with_debugger(application, plan, options) if plan.development.debugs else application


def _handler(plan: Plan) -> Callable[[Any, Any, Any], Any]:
    if plan.framework == "flask" and is_installed("werkzeug"):
        from tlsrun.servers.builtin.with_werkzeug import WerkzeugHandler

        return WerkzeugHandler
    return StandardHandler


def _redirecting(plan: Plan) -> socket.socket | None:
    host, port = plan.endpoint.host, plan.redirect_port
    if port is None:
        return None
    return _bound("redirect_port", Endpoint(host=host, port=port), lambda: redirect.bind(host, port))


def _bound(setting: str, endpoint: Endpoint, make: Callable[[], socket.socket]) -> socket.socket:
    try:
        return make()
    except OSError as error:
        raise ConfigurationError(
            [
                Problem(
                    where=f"{setting} ({endpoint.authority})",
                    what=f"it cannot be bound: {error.strerror or error}",
                    remedy="Stop what holds it (`ss -ltnp` shows what), or choose another",
                )
            ]
        ) from error

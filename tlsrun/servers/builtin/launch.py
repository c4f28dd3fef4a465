"""From a plan to a running server: sockets, certificates, the wrapped application."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Any

from tlsrun.account import become
from tlsrun.deciding.plan import Plan
from tlsrun.listening.address import url_of
from tlsrun.listening.kept import close_others
from tlsrun.listening.opening import adopt, open_all, open_redirecting
from tlsrun.optional import is_installed
from tlsrun.reloading.predecessors import Predecessors
from tlsrun.reloading.trial import ends_here
from tlsrun.servers.background import BackgroundServices
from tlsrun.servers.broken import broken_for
from tlsrun.servers.builtin import development, lifecycle
from tlsrun.servers.builtin.options import BuiltinOptions, read
from tlsrun.servers.builtin.server import BuiltinServer
from tlsrun.servers.builtin.work import Work
from tlsrun.servers.certificates import certificates_of
from tlsrun.system import FORKS
from tlsrun.wsgi.chunked import for_bottle

_log = logging.getLogger("tlsrun.builtin")


def launch(plan: Plan, application: Callable[..., Any]) -> int:
    """Serve until SIGTERM or Ctrl-C; running requests finish first.

    Flask applications run as under Werkzeug's server (environ, log lines, debugger, reloader), others as under the
    standard library's. With the reloader this process only supervises a child that runs the program again.

    Returns:
        0; 130 after a second Ctrl-C; with the reloader the exit code of the child.

    Raises:
        ConfigurationError: see `tlsrun.servers.server.BuiltinServer.launch`.
        KeyboardInterrupt: from Bottle's reloader, which interrupts the main thread and waits for that.
    """
    options = read(plan)
    ends_here(lambda: certificates_of(plan))
    # Bottle has its own reloader, of which this process is already the child.
    watched = plan.development.reloads and plan.framework != "bottle"
    with contextlib.ExitStack() as stack:
        inherited = development.inherited()
        if inherited is None:
            listening = stack.enter_context(open_all(plan.listeners, backlog=options.backlog))
            redirecting = stack.enter_context(open_redirecting(plan.redirect_listeners))
            close_others()
            plan = plan.settled(listening)
            watches = watched and not development.serves_by_itself()
            if FORKS or not watches:
                _log.info("listening on %s", ", ".join(url_of(listener) for listener in plan.listeners))
            if watches:
                if not FORKS:  # they could be opened; each child opens its own
                    stack.pop_all().close()
                return development.run_children(listening.sockets, redirecting.sockets)
        else:
            listening = stack.enter_context(adopt(inherited[0], plan.listeners))
            redirecting = stack.enter_context(adopt(inherited[1], plan.redirect_listeners))
            plan = plan.settled(listening)
        certificates = certificates_of(plan)
        server = BuiltinServer(
            listening.sockets,
            certificates.context,
            _wrapped(application, plan, options),
            _handler(plan),
            options=options,
            work=Work(plan.threads),
            quiet=plan.quiet,
            leave=listening.remove_files,
        )
        background = BackgroundServices(plan, certificates, redirect=redirecting.sockets)
        if plan.account is not None:
            become(plan.account)
        if watched:
            return development.serve_watched(server, background, plan, options)
        sockets = (*listening.sockets, *redirecting.sockets)
        return lifecycle.serve(server, background, sockets, Predecessors())


def _wrapped(application: Callable[..., Any], plan: Plan, options: BuiltinOptions) -> Callable[..., Any]:
    if plan.framework == "bottle":
        return for_bottle(application, tells=True)
    return development.with_debugger(application, plan, options) if plan.development.debugs else application


def _handler(plan: Plan) -> Callable[[Any, Any, Any], Any]:
    if plan.framework == "flask" and is_installed("werkzeug"):
        from tlsrun.servers.builtin.with_werkzeug import WerkzeugHandler

        return WerkzeugHandler
    from tlsrun.servers.builtin.with_stdlib import StandardHandler

    class FrameworksHandler(StandardHandler):
        broken_body = broken_for(plan.framework)

    return FrameworksHandler

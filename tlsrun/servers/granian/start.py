"""One start, in the order in which it happens: sockets, certificates, a trial, the supervisor."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from granian import __version__
from granian.errors import FatalError
from granian.log import DEFAULT_ACCESSLOG_FMT

from tlsrun.account import Account, become
from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError, Problem
from tlsrun.plan import Plan
from tlsrun.servers.certificates import certificates_of
from tlsrun.servers.duties import one_of
from tlsrun.servers.forking import need_the_main_thread
from tlsrun.servers.granian import wsgi
from tlsrun.servers.granian.certificates import Keeper
from tlsrun.servers.granian.pem import PemFolder
from tlsrun.servers.granian.supervisor import Site, Supervisor
from tlsrun.servers.slots import Slots
from tlsrun.servers.wsgi import callback
from tlsrun.tls.redirect import Redirect, RedirectListener, bind
from tlsrun.tls.reload import Certificates
from tlsrun.wsgi.chunked import for_bottle

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def serve(plan: Plan, application: Callable[..., Any], parameters: dict[str, Any]) -> int:
    """Serve until told to stop; see `tlsrun.servers.granian.launch`.

    Arguments:
        parameters: Granian's, checked.
    """
    need_the_main_thread("granian", "Granian")
    certificates = certificates_of(plan)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(_bound(plan.endpoint, "port", lambda: _listen(plan.endpoint, parameters)))
        plan = replace(plan, endpoint=replace(plan.endpoint, port=listener.getsockname()[1]))
        redirect = _redirect(plan, certificates)
        if redirect is not None:
            stack.enter_context(redirect[0])
        folder = _folder(plan.account)
        stack.callback(folder.remove)
        stack.enter_context(_handlers_kept())
        site = Site(
            answer=_answer(plan, application, parameters),
            listener=listener,
            redirect=redirect[0] if redirect else None,
            begin=_beginning(plan.account, redirect[1] if redirect else None),
            end=redirect[1].stop if redirect else lambda: None,
        )
        return _run(plan, certificates, folder, site, parameters)


def _run(plan: Plan, certificates: Certificates, folder: PemFolder, site: Site, parameters: dict[str, Any]) -> int:
    parameters = {**parameters, "port": plan.endpoint.port}
    try:
        supervisor = Supervisor(site, **parameters)
        supervisor.keeper = Keeper(plan, certificates, folder, supervisor.objection_to)
        try:
            supervisor.serve()
        finally:
            supervisor.abandon()
    except FatalError as error:
        where = "Granian's parameters (server_options)"
        what = f"Granian refuses them ({type(error).__name__} {error}); its log above says why"
        raise ConfigurationError([Problem(where=where, what=what, remedy="Correct them")]) from error
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    return 0


def _answer(plan: Plan, application: Callable[..., Any], parameters: dict[str, Any]) -> Callable[..., Any]:
    base = wsgi.base_environ(
        prefix=parameters.get("url_path_prefix", ""),
        software=f"granian/{__version__}",
        processes=plan.workers,
        threads=parameters["blocking_threads"],
        clients=plan.clients is not None,
    )
    slots = Slots(parameters["blocking_threads"])
    application = for_bottle(application) if plan.framework == "bottle" else application
    answer = callback(application, base, slots, unsendable=wsgi.unsendable)
    if parameters.get("log_access"):
        return wsgi.with_access_log(answer, parameters.get("log_access_format") or DEFAULT_ACCESSLOG_FMT)
    return answer


def _listen(endpoint: Endpoint, parameters: dict[str, Any]) -> socket.socket:
    made = socket.create_server(
        (endpoint.host, endpoint.port),
        family=endpoint.family,
        backlog=parameters["backlog"],
        dualstack_ipv6=endpoint.host == "::" and socket.has_dualstack_ipv6(),
    )
    # Accepted sockets inherit it (tcp(7)): small answers are sent at once.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _redirect(plan: Plan, certificates: Certificates) -> tuple[socket.socket, RedirectListener] | None:
    if plan.redirect_port is None:
        return None
    host, port = plan.endpoint.host, plan.redirect_port
    sock = _bound(Endpoint(host=host, port=port), "redirect_port", lambda: bind(host, port))
    allowed = one_of(plan.hosts) if plan.hosts else certificates.covers
    redirect = Redirect(https_port=plan.endpoint.port, allowed=allowed, acme_webroot=plan.acme_webroot)
    return sock, RedirectListener(sock, redirect)


def _bound(endpoint: Endpoint, setting: str, make: Callable[[], socket.socket]) -> socket.socket:
    try:
        return make()
    except OSError as error:
        what = f"it cannot be bound: {error.strerror or error}"
        remedy = "Stop what holds it (`ss -ltnp` shows what), or choose another"
        where = f"{setting} ({endpoint.authority})"
        raise ConfigurationError([Problem(where=where, what=what, remedy=remedy, code="TLS211")]) from error


def _beginning(account: Account | None, redirect: RedirectListener | None) -> Callable[[], None]:
    """What a worker does before it serves: become somebody else, while it has one thread; send plain HTTP to https."""

    def begin() -> None:
        if account is not None:
            become(account)
        if redirect is not None:
            redirect.start()

    return begin


def _folder(account: Account | None) -> PemFolder:
    try:
        return PemFolder(account)
    except OSError as error:
        what = f"no private folder can be made for certificate and key: {error}"
        remedy = "Set XDG_RUNTIME_DIR or TMPDIR to a folder that this user may write"
        raise ConfigurationError([Problem(where="granian", what=what, remedy=remedy)]) from error


@contextlib.contextmanager
def _handlers_kept() -> Iterator[None]:
    """Give the program back the signal handlers that it had."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)

"""Starts Granian, in the order in which it happens: sockets, certificates, a trial load, the supervisor."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any

from granian import __version__
from granian.errors import FatalError
from granian.log import DEFAULT_ACCESSLOG_FMT

from tlsrun.account import Account, become
from tlsrun.deciding.plan import Plan
from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError, Problem
from tlsrun.forking.main_thread import need_the_main_thread
from tlsrun.listening.address import spell_all
from tlsrun.listening.kept import close_others, take_others
from tlsrun.listening.opening import Listening, open_all, open_redirecting
from tlsrun.redirect.port import RedirectListener
from tlsrun.reloading.trial import ends_here
from tlsrun.renewal.reload import Certificates
from tlsrun.servers import background
from tlsrun.servers.broken import broken_for
from tlsrun.servers.certificates import certificates_of
from tlsrun.servers.granian import wsgi
from tlsrun.servers.granian.certificates import GranianCertificates
from tlsrun.servers.granian.client_threads import ClientThreads
from tlsrun.servers.granian.options import read
from tlsrun.servers.granian.pem import PemFolder
from tlsrun.servers.granian.pool import Answer, Pool, Runtime
from tlsrun.servers.granian.receiving import closing
from tlsrun.servers.granian.single_thread import SingleThread
from tlsrun.servers.granian.workers import Granian, GranianWorkerConfig
from tlsrun.servers.slots import Slots
from tlsrun.servers.wsgi import callback
from tlsrun.system import SPREADS_CONNECTIONS
from tlsrun.wsgi.application import Application
from tlsrun.wsgi.chunked import for_bottle


def launch(plan: Plan, application: Callable[..., Any]) -> int:
    """Serve until SIGTERM or SIGINT; requests in flight finish.

    Returns:
        exit status: 0; 1 if a worker did not start, or died and ``respawn_failed_workers`` is off.

    Raises:
        ConfigurationError: see `tlsrun.servers.server.Server.launch`; also if Granian cannot serve this kind of
            certificate.
    """
    parameters = read(plan)
    need_the_main_thread("granian", "Granian")
    certificates = certificates_of(plan)
    with contextlib.ExitStack() as stack:
        plan, listening, sockets = _sockets(plan, stack, parameters["backlog"])
        redirecting = stack.enter_context(open_redirecting(plan.redirect_listeners))
        close_others()
        redirect = background.redirecting(plan, certificates, redirecting.sockets)
        folder = _folder(plan.account)
        stack.callback(folder.remove)
        site = GranianWorkerConfig(
            runtimes=_runtimes(plan, application, parameters),
            listeners=sockets,
            words=spell_all(plan.listeners),
            redirect=redirecting.sockets,
            begin=_beginning(plan.account, redirect),
            end=redirect.stop if redirect else lambda: None,
            leave=listening.remove_files,
        )
        return _run(plan, certificates, folder, site, parameters)


def _run(
    plan: Plan, certificates: Certificates, folder: PemFolder, site: GranianWorkerConfig, parameters: dict[str, Any]
) -> int:
    # Granian validates the number of threads for its own WSGI adapter, which is not used here.
    parameters = {**parameters, "port": plan.endpoint.port, "blocking_threads": 1}
    try:
        server = Granian(site, **parameters)
        server.keeper = GranianCertificates(plan, certificates, folder, server.objection_to)
        ends_here()
        return server.serve()
    except FatalError as error:
        where = "Granian's parameters (server_options)"
        what = f"Granian refuses them ({type(error).__name__} {error}); its log above says why"
        raise ConfigurationError([Problem(where=where, what=what, remedy="Correct them")]) from error


def _runtimes(plan: Plan, application: Callable[..., Any], parameters: dict[str, Any]) -> Callable[[], Runtime]:
    """Return a factory of `Runtime`; it is called in the worker, once per Granian runtime."""
    base = wsgi.base_environ(
        prefix=parameters.get("url_path_prefix", ""),
        software=f"granian/{__version__}",
        processes=plan.workers,
        threads=parameters["blocking_threads"],
        clients=plan.clients is not None,
    )
    slots = Slots(parameters["blocking_threads"])
    client_threads = ClientThreads()
    single_thread = SingleThread(client_threads) if slots.alone else None
    if isinstance(application, Application):
        application = application.upon(base)
    application = for_bottle(application) if plan.framework == "bottle" else application
    broken = broken_for(plan.framework)
    log_format = parameters.get("log_access_format") or DEFAULT_ACCESSLOG_FMT

    def answering(threads: Slots) -> Answer:
        answer = callback(
            application, base, threads, unsendable=wsgi.unsendable, sends_at_once=True, broken=broken, complete=True
        )
        return wsgi.with_access_log(answer, log_format) if parameters.get("log_access") else answer

    def new() -> Runtime:
        pool = Pool(slots, client_threads)
        if single_thread is None:
            answer, answer_upload = answering(pool), closing(answering(slots))
        else:
            single_thread.start()
            answer, answer_upload = (
                single_thread.queueing(answering(slots)),
                single_thread.queueing_with_body(answering(slots)),
            )
        return Runtime(
            answer=pool.resting_after(answer),
            answer_upload=answer_upload,
            client_threads=client_threads,
            pool=pool,
            base=base,
        )

    return new


def _sockets(
    plan: Plan, stack: contextlib.ExitStack, backlog: int
) -> tuple[Plan, Listening, tuple[tuple[socket.socket, ...], ...]]:
    """Open the listening sockets.

    Each worker has a TCP socket of its own (SO_REUSEPORT), which its replacement inherits: with one shared socket, the
    worker that happens to be awake would accept a whole burst of connections while other CPUs idle. Unix sockets and
    inherited descriptors are shared, and all sockets are where SO_REUSEPORT does not balance (macOS).

    Returns:
        the plan with the addresses that were actually bound; the listening sockets; the sockets of each worker.
    """
    several = plan.workers > 1 and SPREADS_CONNECTIONS
    listening = stack.enter_context(open_all(plan.listeners, backlog=backlog, several=several))
    plan = plan.settled(listening)
    places = plan.listeners if SPREADS_CONNECTIONS else ()
    own = [one for one in places if one.descriptor is None and isinstance(one.place, Endpoint)]
    shared = [sock for one, sock in zip(listening.listeners, listening.sockets, strict=True) if one not in own]
    more = [
        (*stack.enter_context(open_all(own, backlog=backlog, several=several)).sockets, *shared)
        for _ in range(plan.workers - 1)
    ]
    # After a reload with fewer workers there are sockets left over; their pending connections must not be lost.
    left = [sock for one in own for sock in take_others(one)]
    for sock in left:
        stack.enter_context(sock)
    return plan, listening, ((*listening.sockets, *left), *more)


def _beginning(account: Account | None, redirect: RedirectListener | None) -> Callable[[], None]:
    """Return what a worker calls before it serves: drop privileges, while single-threaded; start the HTTP redirect."""

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

"""An edge: a uWSGI mule that ends TLS on the shared socket until it is told to drain."""

from __future__ import annotations

import os
import signal

from tlsrun.edge.limits import EdgeLimits
from tlsrun.edge.loop import serve
from tlsrun.edge.server import Edge
from tlsrun.servers.uwsgi.service import STOP, Service
from tlsrun.servers.uwsgi.shared_state import EdgeCommand, EdgePhase, SharedState, wait
from tlsrun.servers.uwsgi.signal_block import unblock
from tlsrun.wsgi.facts import connection_facts

_WITNESS = 1.0  # seconds that an edge told to end waits for the control mule to say why


def run(service: Service, number: int) -> None:
    """Serve, drain when told to, then wait for the end.

    The master ends this process; if it ended by itself, the master would start another one at once. It returns only
    when there is nothing to wait for: when another one is wanted, or none at all.

    Arguments:
        number: of this edge, from 1.
    """
    shared_state = service.shared_state
    # uWSGI's own handlers would tear the interpreter down without holding its lock.
    _handle(signal.SIG_DFL, *STOP, signal.SIGHUP)
    unblock()
    if shared_state.command is EdgeCommand.SERVE:
        _serve(service, number)
    _handle(signal.SIG_IGN, *STOP)
    _handle(signal.SIG_DFL, signal.SIGHUP)
    shared_state.report(number, os.getpid(), EdgePhase.DRAINED)
    wait(lambda: shared_state.command is not EdgeCommand.SERVE, _WITNESS)
    wait(lambda: shared_state.command is not EdgeCommand.DRAIN, None)


def _handle(how: signal.Handlers, *numbers: signal.Signals) -> None:
    for number in numbers:
        signal.signal(number, how)


def _ready(shared_state: SharedState, number: int, edge: Edge) -> None:
    shared_state.report(number, os.getpid(), EdgePhase.SERVING)
    # A signal that came before the event loop ran may be lost (uvloop 0.23).
    if shared_state.command is not EdgeCommand.SERVE:
        edge.stop()


def _serve(service: Service, number: int) -> None:
    service.shared_state.report(number, os.getpid(), EdgePhase.STARTING)
    service.background.start()
    serve(
        service.place.listening.sockets,
        service.certificates.context,
        upstream=service.place.upstream,
        limits=EdgeLimits(variables=service.packet, grace=service.mercy),
        handshake_timeout=service.handshake_timeout,
        facts=connection_facts,
        trusted=service.trusted,
        on_given_up=service.taken_back.note,
        on_ready=lambda edge: _ready(service.shared_state, number, edge),
    )
    service.background.stop()

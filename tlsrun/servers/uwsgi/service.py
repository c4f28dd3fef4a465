"""What the processes of one uWSGI share, from before the fork, and the Unix signals between them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tlsrun.proxies.peers import Peers
from tlsrun.renewal.reload import Certificates
from tlsrun.servers.background import BackgroundServices
from tlsrun.servers.uwsgi.place import Place
from tlsrun.servers.uwsgi.shared_state import SharedState
from tlsrun.servers.uwsgi.wanted import TakenBack

#: Signals that the master passes on to the control mule.
STOP = (signal.SIGTERM, signal.SIGINT)
RELOAD = signal.SIGHUP
#: Signals by which the control mule makes the master act, once the edges have drained.
STOP_NOW = signal.SIGQUIT
RELOAD_NOW = signal.SIGUSR2


@dataclass(frozen=True, kw_only=True)
class Service:
    """One server.

    Arguments:
        application: the WSGI callable.
        certificates: for every edge.
        background: renewal, status file and redirect port.
        place: where the server listens, and where its workers do.
        trusted: proxies that are believed about their clients.
        handshake_timeout: seconds a client has for the whole handshake.
        mercy: seconds that requests in flight have to finish, at a stop or reload.
        packet: most bytes of a request's variables that the workers accept.
        shared_state: for edges and control mule.
        taken_back: for edges and workers.
        watchdog: seconds between two watchdog notifications, as systemd asks; None for none.
        notify_socket: systemd's, hidden from uWSGI, whose master would report that it is ready before an edge is.
        argv: ``sys.argv`` as the application knows it; uWSGI replaces it.
    """

    application: Callable[..., Any]
    certificates: Certificates
    background: BackgroundServices
    place: Place
    trusted: Peers
    handshake_timeout: float
    mercy: int
    packet: int
    shared_state: SharedState
    taken_back: TakenBack
    argv: Sequence[str]
    watchdog: float | None = None
    notify_socket: str | None = None


_service: Service | None = None


def hand_over(service: Service) -> None:
    """Put ``service`` where its processes find it. One per process, as uWSGI itself runs only once in it."""
    global _service
    _service = service


def handed_over() -> Service:
    """What `hand_over` put there."""
    if _service is None:
        raise RuntimeError("nothing was handed over to uWSGI")
    return _service

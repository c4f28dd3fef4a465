"""The edge of a uWSGI that was started by its own command, from an ini file: a mule that ends TLS on a shared socket.

    uwsgi ── shared-socket = 0.0.0.0:443, socket = /run/hello/app.sock, mule = tlsrun.servers.uwsgi.mule:edge

Settings come from the environment (``env = TLSRUN_CERT=…``). Unlike under `tlsrun run` there is no control mule: at
a stop uWSGI ends workers and mules at the same moment, and requests in flight may be lost.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import socket
import threading
from pathlib import Path

from tlsrun.deciding.facts import gather
from tlsrun.deciding.plan import Plan, decide
from tlsrun.edge.limits import EdgeLimits
from tlsrun.edge.loop import serve
from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError
from tlsrun.listening.address import Listener, spell
from tlsrun.listening.opening import open_redirecting
from tlsrun.servers import probe_all
from tlsrun.servers.background import BackgroundServices
from tlsrun.servers.certificates import certificates_of
from tlsrun.servers.uwsgi.variables import adopt
from tlsrun.settings.layers import environment_layer, resolve
from tlsrun.wsgi.facts import connection_facts

_log = logging.getLogger("tlsrun.uwsgi")

_PAUSE = 5.0  # seconds before a mule that failed is started again


def edge() -> None:
    """Serve until uWSGI ends this mule. Called by uWSGI, by its name in the ini file; it ends the process."""
    if not logging.getLogger().hasHandlers():
        logging.basicConfig(format="[%(asctime)s] %(name)s: %(message)s", level=logging.INFO)
    status = 0
    try:
        _serve()
    except ConfigurationError as error:
        for problem in error.problems:
            _log.error("%s", problem)
        status = 1
    except Exception:
        _log.exception("the edge failed and is started again")
        status = 1
    if status:
        threading.Event().wait(_PAUSE)
    # Not by returning: uWSGI would tear the interpreter down without holding its lock.
    logging.shutdown()
    os._exit(status)


def _serve() -> None:
    import uwsgi

    plan = _plan()
    listeners = [_shared(listener) for listener in plan.listeners]
    certificates = certificates_of(plan)
    redirecting = open_redirecting(plan.redirect_listeners)
    background = BackgroundServices(plan, certificates, redirect=redirecting.sockets)
    background.start()
    serve(
        listeners,
        certificates.context,
        upstream=uwsgi.opt["socket"].decode(),
        limits=EdgeLimits(variables=int(uwsgi.opt["buffer-size"])),
        handshake_timeout=plan.handshake_timeout,
        facts=connection_facts,
        trusted=plan.front.peers,
    )
    background.stop()


def _plan() -> Plan:
    """The settings from the environment; that this uWSGI already listens on the port is no error."""
    adopt()
    resolution = resolve([environment_layer()])
    facts = gather(resolution, probe_all(), may_develop=False)
    return decide(resolution, dataclasses.replace(facts, bind_errnos={}), framework="wsgi")


def _shared(listener: Listener) -> socket.socket:
    """The shared socket that listens there.

    Raises:
        ConfigurationError: there is none.
    """
    if not isinstance(listener.place, Endpoint):
        where, remedy = f"TLSRUN_BIND ({spell(listener.place)})", "Name addresses with their ports"
        raise ConfigurationError.of(where=where, what="it is no TCP address", remedy=remedy)
    return _listener(listener.place.host, listener.place.port)


def _listener(host: str, port: int) -> socket.socket:
    """The shared socket, which this process has inherited.

    Raises:
        ConfigurationError: there is none at that address.
    """
    wanted = {
        one[4][:2] for one in socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    }
    for entry in Path("/dev/fd").iterdir():
        try:
            number = os.dup(int(entry.name))
        except OSError:  # the one that the folder was read by
            continue
        found = _listening(number)
        if found is not None and found.getsockname()[:2] in wanted:
            return found
        if found is None:
            os.close(number)
        else:
            found.close()
    remedy = f"Add to the ini file: shared-socket = {host}:{port}"
    raise ConfigurationError.of(
        where=f"TLSRUN_HOST and TLSRUN_PORT ({host}:{port})", what="uWSGI does not listen there", remedy=remedy
    )


def _listening(number: int) -> socket.socket | None:
    """A descriptor as a listening TCP socket, if it is one."""
    try:
        family = socket.socket(fileno=number)
    except OSError:
        return None
    if family.family in (socket.AF_INET, socket.AF_INET6) and family.getsockopt(
        socket.SOL_SOCKET, socket.SO_ACCEPTCONN
    ):
        # With its protocol said, asyncio sets TCP_NODELAY.
        return socket.socket(family.family, family.type, socket.IPPROTO_TCP, fileno=family.detach())
    family.detach()
    return None

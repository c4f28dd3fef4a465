"""What a serving process runs in the background: certificate renewal, the status file and the redirect port."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from tlsrun.connections.handshake import silence_undecodable_server_names
from tlsrun.deciding.plan import Plan
from tlsrun.listening.address import spell_all
from tlsrun.proxies.peers import NOBODY
from tlsrun.renewal.expiry_log import ExpiryLog
from tlsrun.renewal.reload import Certificates
from tlsrun.renewal.watch import Watcher
from tlsrun.status import StatusFile
from tlsrun.tls.table import normal_name, wildcard_of

if TYPE_CHECKING:
    from tlsrun.redirect.port import RedirectListener


def one_of(hosts: Iterable[str]) -> Callable[[str], bool]:
    """Return a function that tells whether a host is one of ``hosts``, exactly or by a wildcard for its first label."""
    listed = frozenset(map(normal_name, hosts))
    return lambda host: bool(listed.intersection((normal_name(host), wildcard_of(normal_name(host)))))


def redirecting(plan: Plan, certificates: Certificates, socks: Sequence[socket.socket]) -> RedirectListener | None:
    """Return the redirect port's server, not started yet; None if there is no such port.

    Arguments:
        socks: the port's sockets, already listening.
    """
    if not socks:
        return None
    from tlsrun.redirect.port import Redirect, RedirectListener  # imported late: most servers have no redirect port

    answers = Redirect(
        https_port=plan.endpoint.port, allowed=allowed_hosts(plan, certificates), acme_webroot=plan.acme_webroot
    )
    proxy_protocol_peers = plan.front.peers if plan.proxy_protocol else NOBODY
    return RedirectListener(socks, answers, proxy_protocol_peers=proxy_protocol_peers)


def allowed_hosts(plan: Plan, certificates: Certificates) -> Callable[[str], bool]:
    """Return a predicate for hosts whose plain HTTP is redirected: those set, else the certificates' names."""
    return one_of(plan.hosts) if plan.hosts else certificates.covers


class BackgroundServices:
    """Certificate renewal, status file and redirect port of one endpoint.

    Created before the server forks, started in each serving process.

    Arguments:
        plan: what is served.
        certificates: the endpoint's certificates.
        redirect: sockets of the redirect port, already listening.
    """

    def __init__(self, plan: Plan, certificates: Certificates, *, redirect: Sequence[socket.socket] = ()) -> None:
        self._certificates = certificates
        status = StatusFile(server=plan.server, endpoint=spell_all(plan.listeners))
        self._follows = plan.reload
        self._watcher = Watcher(certificates, report=status.write, expiry=ExpiryLog(), follows=plan.reload)
        certificates.context.allowed_host = allowed_hosts(plan, certificates)
        self._redirect = redirecting(plan, certificates, redirect)

    def start(self) -> None:
        """Start the threads. Only in a process that will not fork afterwards."""
        silence_undecodable_server_names()
        if self._follows:
            # A worker forked later inherits the certificates read when the server started.
            self._certificates.catch_up()
        self._watcher.start()
        if self._redirect is not None:
            self._redirect.start()

    def reload(self) -> None:
        """Read the certificates now and write the status file. Thread-safe."""
        self._certificates.reload()
        self._watcher.told_anew()

    def stop(self) -> None:
        """Stop the threads that `start` has started."""
        if self._redirect is not None:
            self._redirect.stop()
        self._watcher.stop()

"""From settings to the plan of a target: as for a server that is always there, on a machine that is not this one.

Whether a port is free here, or a server installed here, does not matter to a file; what is wrong with certificates and
settings does.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from tlsrun import export
from tlsrun.apps import App
from tlsrun.choosing import http_words, unmet
from tlsrun.default_identity import LoadedIdentity
from tlsrun.errors import CertificateError, ConfigurationError, Problem
from tlsrun.export.material import unfit
from tlsrun.facts import Facts, gather
from tlsrun.plan import Plan, decide
from tlsrun.servers import probe_all
from tlsrun.settings.layers import Resolution
from tlsrun.settings.mapping import Unsupported
from tlsrun.tls.identity import IdentitySources, Source
from tlsrun.tls.issue import issue_leaf, make_authority
from tlsrun.tls.peers import Network

#: Which server runs the application where the setting names one that is for development, or none.
_IN_PRODUCTION = {"builtin": "gunicorn", "auto": "gunicorn"}
#: Behind a front Hypercorn would tell the application nothing more than gunicorn does.
_BEHIND_A_FRONT = {**_IN_PRODUCTION, "hypercorn": "gunicorn"}

_OF_A_CERTIFICATE = ("key", "chain", "key_password", "key_password_file", "key_password_command")


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What `plan_for` returns.

    Arguments:
        plan: its server is the target, its identity a stand-in where no certificate is named.
        server: which server runs the application.
        has_certificate: whether a certificate is named.
        introducers: who says by the PROXY protocol who the client is.
    """

    plan: Plan
    server: str
    has_certificate: bool
    introducers: tuple[str, ...] = ()


def plan_for(target: str, resolution: Resolution, *, form: str, app: App | None, now: datetime.datetime) -> Decided:
    """Decide, with the target in place of the server.

    Arguments:
        form: of the target's file.
        app: the application, if one is named.
        now: the time, in UTC.

    Raises:
        ConfigurationError: with all problems, of every kind, at once.
    """
    settings = resolution.settings
    named = settings.names_certificate
    needs_certificate = form in export.load(target).NEEDS_CERTIFICATE
    if needs_certificate and not named:
        raise ConfigurationError([*resolution.problems, _no_certificate(target, resolution)])
    instead = _IN_PRODUCTION if export.runs_tlsrun(target, form) else _BEHIND_A_FRONT
    server = instead.get(settings.server, settings.server)
    asked = _asking(resolution, server=target)
    targets = {name: export.facts_of(name) for name in export.TARGETS}
    facts = _elsewhere(gather(asked, targets, may_develop=False, starting=False))
    if not named:
        # Whoever ends TLS brings the certificate; `key` and the like are mistakes then, and said.
        facts = dataclasses.replace(facts, loaded=_stand_in(settings.hosts, now))
        lost = [name for name in _OF_A_CERTIFICATE if resolution.is_given(name)]
        if lost:
            raise ConfigurationError([*resolution.problems, *(_no_use(resolution, name) for name in lost)])
        asked = _asking(asked, cert="stand-in")
    plan = decide(asked, facts, framework=app.framework if app else "wsgi")
    chosen = export.load(target)
    problems = (
        list(unfit(plan, chosen.TITLE, mended=target in export.SERVED_BY_US)) if named and needs_certificate else []
    )
    problems += _of_the_server(target, form, server, resolution)
    if problems:
        raise ConfigurationError(problems)
    introducers = tuple(map(_shortest, plan.front.peers.networks)) if plan.proxy_protocol else ()
    return Decided(plan=plan, server=server, has_certificate=named, introducers=introducers)


def _shortest(network: Network) -> str:
    """A network as people write it: that of one address as the address."""
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)


def _of_the_server(target: str, form: str, server: str, resolution: Resolution) -> Iterator[Problem]:
    """What the server that the file starts cannot honour."""
    if export.runs_tlsrun(target, form):
        facts = probe_all()[server]
        for name in unmet(facts, resolution):
            cell = facts.mapping[name]
            reason = cell.reason if isinstance(cell, Unsupported) else f"speaks {http_words(facts.http)} only"
            given = name if resolution.is_given(name) else "client_ca"
            yield Problem(where=resolution.spelling(given), what=f"{facts.title} {reason}",
                          remedy="Leave it out, or choose another server (--server)", code="TLS203")  # fmt: skip
    elif target == "systemd" and resolution.settings.server_options:
        yield Problem(where=resolution.spelling("server_options"), what="the command of the service has none of them",
                      remedy="Leave it out, and add them to ExecStart")  # fmt: skip


def _asking(resolution: Resolution, **changed: Any) -> Resolution:
    return dataclasses.replace(resolution, settings=dataclasses.replace(resolution.settings, **changed))


def _elsewhere(facts: Facts) -> Facts:
    """What is true of this machine only is left out."""
    return dataclasses.replace(facts, bind_errnos={}, redirect_errno=None, webroot_exists=True)


def _no_certificate(target: str, resolution: Resolution) -> Problem:
    return Problem(
        where=resolution.spelling("cert"),
        what=f"{export.load(target).TITLE} needs a certificate, and none is set",
        remedy="Set TLS_CERT and TLS_KEY (--cert and --key); `tlsrun cert` makes one for development",
        code="TLS205",
    )


def _no_use(resolution: Resolution, name: str) -> Problem:
    return Problem(where=resolution.spelling(name), what="is given, and no certificate",
                   remedy="Set TLS_CERT (--cert) too", code="TLS205")  # fmt: skip


def _stand_in(hosts: tuple[str, ...], now: datetime.datetime) -> LoadedIdentity:
    """An identity that exists in memory only, where the certificate is another's affair."""
    try:
        authority = make_authority("tlsrun export", now=now)
        identity = issue_leaf(authority, hosts or ("localhost",), now=now)
    except CertificateError as error:
        return LoadedIdentity(problems=error.problems)
    source = Source(given_by="hosts", text=identity.certificate.public_bytes(Encoding.PEM))
    return LoadedIdentity(identity=identity, sources=IdentitySources(cert=source))

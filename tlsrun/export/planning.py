"""From settings to a target's plan: as for a server that is installed, on another machine.

Whether a port is free or a server is installed on this machine does not matter for a file; faults in certificates and
settings do.
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
from tlsrun.certificates.identity import IdentitySources, Source
from tlsrun.deciding.choosing import ServerFacts, unmet
from tlsrun.deciding.default_identity import LoadedIdentity
from tlsrun.deciding.facts import Facts, gather
from tlsrun.deciding.plan import Plan, decide
from tlsrun.development.issue import issue_leaf, make_authority
from tlsrun.errors import CertificateError, ConfigurationError, Problem
from tlsrun.export.lists import wanting
from tlsrun.export.material import unfit
from tlsrun.process import patch_problem
from tlsrun.proxies.peers import Network
from tlsrun.servers import load, probe_all
from tlsrun.settings.layers import Resolution
from tlsrun.settings.mapping import Unsupported
from tlsrun.settings.proxies import PRESETS, dropping, mixed_up
from tlsrun.settings.words import AUTO, USUAL
from tlsrun.tls.origin import Reading

#: Forms of a reverse proxy that passes requests on over plain HTTP.
_OVER_HTTP = ("http", "proxy")

_OF_A_CERTIFICATE = ("key", "chain", "key_password", "key_password_file", "key_password_command")


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What `plan_for` returns.

    Arguments:
        plan: its server is the target; its identity is a placeholder if no certificate is set.
        server: the server that runs the application.
        has_certificate: whether a certificate is set.
        proxy_protocol_peers: the addresses and networks that send the client's address by the PROXY protocol.
    """

    plan: Plan
    server: str
    has_certificate: bool
    proxy_protocol_peers: tuple[str, ...] = ()


def plan_for(target: str, resolution: Resolution, *, form: str, app: App | None, now: datetime.datetime) -> Decided:
    """Decide, with the target in place of the server.

    Arguments:
        form: the form of the target's file.
        app: the application, if one is named.
        now: the current time, in UTC.

    Raises:
        ConfigurationError: with all problems at once.
    """
    settings = resolution.settings
    named = settings.names_certificate
    needs_certificate = export.load(target).names_files(form)
    if needs_certificate and not named:
        raise ConfigurationError([*resolution.problems, _no_certificate(target, resolution)])
    ours = export.runs_tlsrun(target, form)
    # Under gevent's or eventlet's monkey patching, gunicorn's threads answer no request, and its other workers fail in
    # TLS with a context that was made before the patching.
    if (ours or target == "gunicorn-conf") and (problem := patch_problem()) is not None:
        raise ConfigurationError([problem])
    server = _in_production(settings.server, behind=not ours)
    # For `tlsrun run` its server's table of settings decides; for other programs the target's own.
    judges = _servers(target) if ours else {name: export.facts_of(name, form) for name in export.TARGETS}
    asked = _asking(resolution, server=server if ours else target)
    facts = _elsewhere(gather(asked, judges, may_develop=False, starting=False))
    if not named:
        # Whoever terminates TLS brings the certificate, so `key` and the like are mistakes.
        facts = dataclasses.replace(facts, loaded=_placeholder(settings.hosts, now))
        lost = [name for name in _OF_A_CERTIFICATE if resolution.is_given(name)]
        if lost:
            raise ConfigurationError([*resolution.problems, *(_no_use(resolution, name) for name in lost)])
        asked = _asking(asked, cert="placeholder")
    problems = list(_of_the_target(target, form, resolution)) if ours else []
    try:
        plan = decide(asked, facts, framework=app.framework if app else "wsgi")
    except ConfigurationError as error:
        raise ConfigurationError([*error.problems, *problems]) from None
    if not ours:
        problems += _of_the_pair(target, form, server, resolution)
    title = export.load(target).title
    if named and needs_certificate:
        problems += unfit(plan, title, mended=ours)
    if target == "nginx" and not problems:
        problems += wanting(plan, title)
    if ours:
        problems += _of_the_options(plan)
    if problems:
        raise ConfigurationError(problems)
    proxy_protocol_peers = tuple(map(_shortest, plan.front.peers.networks)) if plan.proxy_protocol else ()
    return Decided(plan=plan, server=server, has_certificate=named, proxy_protocol_peers=proxy_protocol_peers)


def _shortest(network: Network) -> str:
    """A network as people write it: a single address without its prefix length."""
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)


def _in_production(named: str, *, behind: bool) -> str:
    """The server that is set, or the default for production.

    Arguments:
        behind: whether it runs behind a proxy, started by its own command, which not every server has.
    """
    if named == AUTO or load(named).facts.for_development or (behind and load(named).stock is None):
        return USUAL
    return named


def _servers(target: str) -> dict[str, ServerFacts]:
    """The servers' facts, as if all were installed; in a container's image the optional parts of each are, too."""
    known = {name: dataclasses.replace(one, missing=None) for name, one in probe_all().items()}
    if target in export.ELSEWHERE:
        return {name: dataclasses.replace(one, http=load(name).facts.http) for name, one in known.items()}
    return known


def _of_the_target(target: str, form: str, resolution: Resolution) -> Iterator[Problem]:
    """Settings that such a file cannot express, whatever its server supports."""
    facts = export.facts_of(target, form)
    for name in unmet(facts, resolution):
        cell = facts.mapping[name]
        if isinstance(cell, Unsupported):
            where, what = resolution.spelling(name), f"{facts.title} {cell.reason}"
            yield Problem(where=where, what=what, remedy="Leave it out", code="TLS203")


def _of_the_pair(target: str, form: str, server: str, resolution: Resolution) -> Iterator[Problem]:
    """A proxy that passes on names with underscores to a server that reads them as the proxy's own headers."""
    settings = resolution.settings
    if settings.proxy_drops_underscores:
        return
    if (target, form) == ("uwsgi-ini", "native") and settings.trusted_proxies and dropping(settings.proxy) is None:
        yield mixed_up("uWSGI's own HTTP", resolution.spelling("trusted_proxies"))
    if form not in _OVER_HTTP or target not in PRESETS:
        return
    stock = load(server).stock
    if stock is not None and stock.mixes_up_underscores and dropping([target]) is None:
        title, behind = export.load(target).title, load(server).facts.title
        yield Problem(
            where=resolution.spelling("server"),
            what=f"{title} passes on a header X_Forwarded_For, and {behind} takes it for X-Forwarded-For",
            remedy="Use another server behind it: gunicorn drops names with underscores",
            code="TLS221",
        )


def _of_the_options(plan: Plan) -> tuple[Problem, ...]:
    """Why the server, if it is installed here, rejects ``server_options``."""
    if not plan.server_options or load(plan.server).probe().missing is not None:
        return ()
    try:
        load(plan.server).read_options(plan)
    except ConfigurationError as error:
        return error.problems
    return ()


def _asking(resolution: Resolution, **changed: Any) -> Resolution:
    return dataclasses.replace(resolution, settings=dataclasses.replace(resolution.settings, **changed))


def _elsewhere(facts: Facts) -> Facts:
    """Without the facts that hold for this machine only."""
    return dataclasses.replace(facts, bind_errnos={}, redirect_errnos={}, webroot_exists=True)


def _no_certificate(target: str, resolution: Resolution) -> Problem:
    return Problem(
        where=resolution.spelling("cert"),
        what=f"{export.load(target).title} needs a certificate, and none is set",
        remedy="Set TLS_CERT and TLS_KEY (--cert and --key); `tlsrun cert` makes one for development",
        code="TLS205",
    )


def _no_use(resolution: Resolution, name: str) -> Problem:
    what, remedy = "is given, and no certificate", "Set TLS_CERT (--cert) too"
    return Problem(where=resolution.spelling(name), what=what, remedy=remedy, code="TLS205")


def _placeholder(hosts: tuple[str, ...], now: datetime.datetime) -> LoadedIdentity:
    """An identity in memory, for plans whose certificate somebody else provides."""
    try:
        authority = make_authority("tlsrun export", now=now)
        identity = issue_leaf(authority, hosts or ("localhost",), now=now)
    except CertificateError as error:
        return LoadedIdentity(problems=error.problems)
    source = Source(given_by="hosts", text=identity.certificate.public_bytes(Encoding.PEM))
    return LoadedIdentity(reading=Reading(value=identity), sources=IdentitySources(cert=source))

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

#: Forms of a front that asks the application over plain HTTP.
_OVER_HTTP = ("http", "proxy")

_OF_A_CERTIFICATE = ("key", "chain", "key_password", "key_password_file", "key_password_command")


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What `plan_for` returns.

    Arguments:
        plan: its server is the target, its identity a stand-in where no certificate is named.
        server: which server runs the application.
        has_certificate: whether a certificate is named.
        proxy_protocol_peers: who says by the PROXY protocol who the client is.
    """

    plan: Plan
    server: str
    has_certificate: bool
    proxy_protocol_peers: tuple[str, ...] = ()


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
    needs_certificate = export.load(target).names_files(form)
    if needs_certificate and not named:
        raise ConfigurationError([*resolution.problems, _no_certificate(target, resolution)])
    ours = export.runs_tlsrun(target, form)
    # gunicorn's own threads answer nobody then; its other workers' TLS fails on a context that was made before.
    if (ours or target == "gunicorn-conf") and (problem := patch_problem()) is not None:
        raise ConfigurationError([problem])
    server = _in_production(settings.server, behind=not ours)
    # What `tlsrun run` would be asked is asked of its server, by the same table; all else of the target's own.
    judges = _servers(target) if ours else {name: export.facts_of(name, form) for name in export.TARGETS}
    asked = _asking(resolution, server=server if ours else target)
    facts = _elsewhere(gather(asked, judges, may_develop=False, starting=False))
    if not named:
        # Whoever ends TLS brings the certificate; `key` and the like are mistakes then, and said.
        facts = dataclasses.replace(facts, loaded=_stand_in(settings.hosts, now))
        lost = [name for name in _OF_A_CERTIFICATE if resolution.is_given(name)]
        if lost:
            raise ConfigurationError([*resolution.problems, *(_no_use(resolution, name) for name in lost)])
        asked = _asking(asked, cert="stand-in")
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
    """A network as people write it: that of one address as the address."""
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)


def _in_production(named: str, *, behind: bool) -> str:
    """The server that is named, or the usual one.

    Arguments:
        behind: behind a front, by its own command; some would tell the application nothing more than the usual one.
    """
    if named == AUTO or load(named).facts.for_development or (behind and load(named).stock is None):
        return USUAL
    return named


def _servers(target: str) -> dict[str, ServerFacts]:
    """What is known of the servers, none of which need be installed here; in an image all that belongs to one is."""
    known = {name: dataclasses.replace(one, missing=None) for name, one in probe_all().items()}
    if target in export.ELSEWHERE:
        return {name: dataclasses.replace(one, http=load(name).facts.http) for name, one in known.items()}
    return known


def _of_the_target(target: str, form: str, resolution: Resolution) -> Iterator[Problem]:
    """What such a file cannot say, whatever its server can."""
    facts = export.facts_of(target, form)
    for name in unmet(facts, resolution):
        cell = facts.mapping[name]
        if isinstance(cell, Unsupported):
            yield Problem(where=resolution.spelling(name), what=f"{facts.title} {cell.reason}", remedy="Leave it out",
                          code="TLS203")  # fmt: skip


def _of_the_pair(target: str, form: str, server: str, resolution: Resolution) -> Iterator[Problem]:
    """A front that passes names with underscores on, before a server that takes them for the front's own headers."""
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
    """Why the server, where it is installed here, does not take ``server_options``."""
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
    """What is true of this machine only is left out."""
    return dataclasses.replace(facts, bind_errnos={}, redirect_errno=None, webroot_exists=True)


def _no_certificate(target: str, resolution: Resolution) -> Problem:
    return Problem(
        where=resolution.spelling("cert"),
        what=f"{export.load(target).title} needs a certificate, and none is set",
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

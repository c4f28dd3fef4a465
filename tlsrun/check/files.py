"""Findings on files: what was read from them, and how clients and other servers will take it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cryptography import x509

from tlsrun.account import Account
from tlsrun.certificates.chain import GivenCertificate, is_signed_by, missing_issuer
from tlsrun.certificates.identity import Identity, IdentitySources
from tlsrun.certificates.material import read_material
from tlsrun.certificates.names import shown_name, words_of
from tlsrun.certificates.recognise import Form
from tlsrun.certificates.sources import Source
from tlsrun.certificates.strictness import refused_strictly
from tlsrun.check.certificate import View, judge_issuers, judge_leaf
from tlsrun.check.code import Severity
from tlsrun.check.finding import Finding, found, from_problem, from_problems
from tlsrun.check.permissions import account, exposed_key, unreadable
from tlsrun.check.trust import Trust
from tlsrun.deciding.facts import Facts
from tlsrun.endpoint import Endpoint
from tlsrun.errors import CertificateError, Problem
from tlsrun.settings.derived import hosts_of_settings
from tlsrun.settings.layers import Resolution


@dataclass(frozen=True, kw_only=True)
class Hosts:
    """The hosts that the certificate must cover.

    Arguments:
        names: host names and addresses.
        where: the setting that names them.
    """

    names: tuple[str, ...]
    where: str


def check_files(resolution: Resolution, facts: Facts, view: View, trust: Trust) -> Iterator[Finding]:
    """Findings on the files that the settings name."""
    loaded = facts.loaded
    yield from from_problems(loaded.problems, "not-pem", severity=Severity.ERROR)
    # These are judged below, together with the rest of the certificate.
    judged = {"TLS123", "TLS144", "TLS146", "TLS148"}
    warnings = [one for one in (*loaded.warnings, *facts.named.warnings) if one.code not in judged]
    yield from _less_what_is_known(from_problems(warnings, "openssl-refuses"), loaded.identity, trust)
    yield from from_problems(facts.named.problems, "sni-folder", severity=Severity.ERROR)
    yield from from_problems(facts.clients.problems, "client-ca", severity=Severity.ERROR)
    yield from from_problems(facts.clients.warnings, "revocation-list")
    yield from _strictness(facts)
    if loaded.sources is not None:
        yield from _sources(loaded.sources)
        if loaded.identity is not None:
            yield from _identity(loaded.identity, loaded.sources.cert, view, trust)
    for sources in facts.named.served:
        yield from _sources(sources)
        yield from _identity(facts.named.readings[sources].value, sources.cert, view, trust)
    workers = workers_account(resolution)
    if workers is not None and resolution.settings.reload and not facts.server.renews_as_starter:
        yield from unreadable(facts.places, workers)
    if loaded.identity is not None and loaded.sources is not None:
        yield from _names(resolution, facts.identities, loaded.sources.cert)


def _strictness(facts: Facts) -> Iterator[Finding]:
    """Whether stricter programs would refuse the clients that this server accepts."""
    sources, reading = facts.clients.sources, facts.clients.reading
    if sources is not None and reading is not None:
        yield from from_problems(refused_strictly(reading.value.ca, sources.ca), "client-key-identifiers")


def _less_what_is_known(findings: list[Finding], identity: Identity | None, trust: Trust) -> Iterator[Finding]:
    """Without findings about an unknown issuer that ``--ca`` makes known."""
    for one in findings:
        missing = one.code.slug in ("issuer-missing", "root-unknown")
        if not (missing and identity is not None and trust.signed(identity.certificate)):
            yield one


def _identity(identity: Identity, source: Source, view: View, trust: Trust) -> Iterator[Finding]:
    whole = (identity.certificate, *identity.chain)
    private = trust.is_private(whole)
    yield from judge_leaf(identity.certificate, source, view, private=private)
    yield from judge_issuers(identity.certificate, identity.chain, source, view, known_root=trust.signed)
    yield from _end_of_chain(whole, source, trust)


def _end_of_chain(chain: Sequence[x509.Certificate], source: Source, trust: Trust) -> Iterator[Finding]:
    """Whether the last intermediate's signer is known; a certificate without a chain was judged when it was loaded."""
    last = chain[-1]
    if len(chain) == 1 or trust.signed(last) or is_signed_by(last, last):
        return
    problem = missing_issuer(GivenCertificate(certificate=last, source=source))
    if problem.code == "TLS133":
        problem = _unknown_root(problem, shown_name(last.issuer), source)
    yield from_problem(problem, "root-unknown")


def _unknown_root(problem: Problem, issuer: str, source: Source) -> Problem:
    """The problem worded for a chain with intermediates."""
    return replace(
        problem,
        what=f"the chain in {source.name} leads to {issuer}, which this machine does not know as a root: clients that "
        "do not know it either cannot verify the certificate",
        remedy="If your clients know it as a root, nothing is missing (`--ca FILE` makes it known here); else put the "
        "issuer's certificate behind the others",
    )


def _sources(sources: IdentitySources) -> Iterator[Finding]:
    holder = sources.key or sources.cert
    exposed = exposed_key(holder)
    if exposed is not None:
        yield exposed
    for source in sources.places:
        yield from _binary(source, sources.password)


def _binary(source: Source, password: bytes | None) -> Iterator[Finding]:
    """Binary formats, which tlsrun reads and other servers do not."""
    try:
        form = read_material(source, password).binary
    except CertificateError:
        return
    if form is not None:
        slug = "bundle" if form is Form.PKCS12 else "der"
        yield found(slug, source.given_by, f"{source.name} is {form.value}; it is read as it is")


def workers_account(resolution: Resolution) -> Account | None:
    """The account that the server switches to; None if that is the account running the check."""
    options = resolution.settings.server_options
    user = resolution.settings.user or options.get("user") or options.get("uid")
    group = resolution.settings.group or options.get("group") or options.get("gid")
    found_account = account(user, group) if user is not None else None
    if found_account is None or not hasattr(os, "geteuid") or found_account.uid == os.geteuid():
        return None
    return found_account


def hosts_served(resolution: Resolution) -> Hosts:
    """The names by which the server is reached, as far as the settings tell."""
    settings = resolution.settings
    if settings.hosts:
        return Hosts(names=settings.hosts, where=resolution.spelling("hosts"))
    where = resolution.spelling("bind" if settings.bind else "host")
    hosts = hosts_of_settings(settings)
    if any(Endpoint(host=host, port=0).is_wildcard for host in hosts):
        return Hosts(names=(), where=where)
    return Hosts(names=hosts, where=where)


def _names(resolution: Resolution, identities: Sequence[Identity], source: Source) -> Iterator[Finding]:
    hosts = hosts_served(resolution)
    for host in hosts.names:
        if any(one.covers(host) for one in identities):
            continue
        names = words_of(identities[0].names)
        loopback = Endpoint(host=host, port=0).is_loopback
        yield found(
            "name-not-covered",
            f"{hosts.where} {host}",
            f"the certificate in {source.name} is not for {host}, but for {names}: opened as https://{host}, "
            "browsers refuse it",
            severity=Severity.INFO if loopback else None,
        )

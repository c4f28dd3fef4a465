"""Findings on the settings: conflicts that keep the server from starting, and oddities."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tlsrun.certificates.identity import Identity
from tlsrun.certificates.names import words_of
from tlsrun.check.code import Severity
from tlsrun.check.finding import Finding, found, from_problem
from tlsrun.deciding.facts import Facts
from tlsrun.deciding.objections import objections, oddities
from tlsrun.deciding.places import endpoint_of
from tlsrun.endpoint import Endpoint
from tlsrun.errors import Problem
from tlsrun.settings.derived import policy_of
from tlsrun.settings.layers import Resolution
from tlsrun.tls.ciphers import nothing_in_common


def check_configuration(resolution: Resolution, facts: Facts, *, debug: bool) -> Iterator[Finding]:
    """Findings on the settings, except those on files and on the server itself.

    Arguments:
        debug: whether the application is in debug mode.
    """
    endpoint = endpoint_of(resolution.settings, facts)
    for problem in objections(resolution, facts, endpoint):
        if _is_ours(problem) and problem != facts.server.missing:
            # Whatever keeps the server from starting is an error, even if its kind is less severe.
            yield from_problem(problem, "bad-value", severity=Severity.ERROR)
    for problem in (*resolution.warnings, *oddities(resolution, facts, endpoint)):
        if _is_ours(problem):
            yield from_problem(problem, "bad-value", severity=Severity.WARNING)
    for identity in facts.identities:
        yield from _common_ground(resolution, identity)
    yield from _debug(resolution, endpoint, debug=debug)
    yield from _advice(resolution, endpoint)


def _is_ours(problem: Problem) -> bool:
    """Whether no other part of the check reports it: files have codes of their own."""
    return problem.code is None or not problem.code.startswith("TLS1")


def _common_ground(resolution: Resolution, identity: Identity) -> Iterator[Finding]:
    policy, kind = policy_of(resolution.settings), identity.key_type.partition(" ")[0]
    names = words_of(identity.names, 3)
    if kind not in ("RSA", "ECDSA"):
        what = f"the certificate for {names} has an {kind} key, which no browser accepts"
        remedy = "Have one issued for an ECDSA P-256 key"
        yield found("nothing-in-common", resolution.spelling("key"), what, remedy, severity=Severity.WARNING)
    if (words := nothing_in_common(identity.names, identity.key_type, policy)) is not None:
        severity = Severity.ERROR if policy.max_version == "1.2" else Severity.WARNING
        yield found("nothing-in-common", resolution.spelling("ciphers"), *words, severity=severity)


_OFF = frozenset(("", "0", "false", "no"))


def _debug(resolution: Resolution, endpoint: Endpoint, *, debug: bool) -> Iterator[Finding]:
    said = os.environ.get("FLASK_DEBUG", "")
    by_environment = said.lower() not in _OFF
    if endpoint.is_loopback or not (debug or by_environment):
        return
    where = f"FLASK_DEBUG={said} in the environment" if by_environment else "the application"
    yield found("debug-public", where, f"debug mode is on, and others can reach {endpoint.authority}")


def _advice(resolution: Resolution, endpoint: Endpoint) -> Iterator[Finding]:
    settings = resolution.settings
    if settings.hsts == 0 and settings.names_certificate and not endpoint.is_loopback:
        yield found("hsts-off", resolution.spelling("hsts"), "Strict-Transport-Security is not sent")
    if not settings.reload:
        what = "certificates are read at the start, and not again when their files change"
        yield found("reload-off", resolution.spelling("reload"), what)

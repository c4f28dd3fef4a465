"""The input for a grade: measured on a running server, or derived from settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cryptography import x509

from tlsrun.certificates.identity import Identity
from tlsrun.certificates.names import covers
from tlsrun.check.code import Area, Severity
from tlsrun.check.finding import Finding
from tlsrun.check.live.chain import missing_issuer
from tlsrun.check.live.judge import max_age
from tlsrun.check.live.observation import Observation
from tlsrun.check.trust import Trust
from tlsrun.settings.derived import policy_of
from tlsrun.settings.table import Settings
from tlsrun.tls.policy import INTERMEDIATE_CIPHERS, VERSIONS


@dataclass(frozen=True, kw_only=True)
class GradeInput:
    """What a grade depends on; None for what is not known.

    Arguments:
        live: whether a running server was examined, not only settings.
        versions: version -> whether it is spoken.
        weak: the faults of accepted suites.
        other: whether suites outside Mozilla's profiles are accepted.
        certificate: the server's own.
        trusted: whether the chain ends at a known root.
        named: whether the certificate covers the host.
        complete: whether no intermediate is missing.
        hsts: ``max-age`` of Strict-Transport-Security, in seconds.
    """

    live: bool
    versions: Mapping[str, bool] = field(default_factory=dict)
    weak: frozenset[str] = frozenset()
    other: bool = False
    certificate: x509.Certificate | None = None
    trusted: bool | None = None
    named: bool | None = None
    complete: bool | None = None
    hsts: int = 0


def grade_input_of_server(seen: Observation, trust: Trust) -> GradeInput | None:
    """From a running server; None if no handshake succeeded."""
    if seen.unreachable is not None or seen.failure is not None or not seen.certificates:
        return None
    leaf = seen.certificates[0]
    headers = seen.answer.headers if seen.answer else {}
    return GradeInput(
        live=True,
        versions=seen.versions,
        weak=frozenset(seen.weak),
        other=seen.other is not None,
        certificate=leaf,
        trusted=seen.verdict.trusted if seen.verdict else None,
        named=covers(leaf, seen.target.host),
        complete=missing_issuer(seen, trust, ()) is None if seen.whole else None,
        hsts=max_age(headers.get("strict-transport-security")),
    )


#: Errors in files that do not keep a server from starting, on loopback at least.
_STARTS = frozenset(("TLS121", "TLS132", "TLS138", "TLS140", "TLS141", "TLS144", "TLS148"))
#: Certificates that nobody trusts: not valid today, for another purpose, or self-signed.
_UNTRUSTED = frozenset(("TLS138", "TLS140", "TLS141", "TLS147", "TLS148"))


def grade_input_of_settings(
    settings: Settings, identity: Identity | None, findings: Iterable[Finding] = ()
) -> GradeInput | None:
    """From settings; None if a server would not start with them.

    Arguments:
        identity: the certificate that would be served; None if there is none yet, or it cannot be served.
        findings: the findings on files, settings and the server.
    """
    findings = [one for one in findings if one.code.phase in (Area.FILES, Area.CONFIGURATION, Area.SERVER)]
    errors = {one.code.code for one in findings if one.severity is Severity.ERROR}
    if errors - _STARTS or (errors and identity is None):
        return None
    codes = {one.code.code for one in findings}
    policy = policy_of(settings)
    versions = {f"TLS {one}": one in policy.versions for one in VERSIONS}
    suites = set(policy.ciphers.split(":"))
    return GradeInput(
        live=False,
        versions=versions,
        other=versions["TLS 1.2"] and not suites <= set(INTERMEDIATE_CIPHERS),
        certificate=identity.certificate if identity else None,
        trusted=False if codes & _UNTRUSTED else None,
        named=False if "TLS144" in codes else None,
        complete=False if "TLS132" in codes else None,
        hsts=settings.hsts,
    )

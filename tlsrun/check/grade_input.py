"""What a grade is made from: seen of a running server, or promised by settings."""

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
    """What counts; None where it is not known.

    Arguments:
        live: whether a running server was looked at, rather than settings.
        versions: which versions are spoken.
        weak: what is wrong with suites that are accepted.
        other: whether suites are accepted that Mozilla's profiles do not have.
        certificate: the server's own.
        trusted, named, complete: of the chain: known root, right name, no issuer left out.
        hsts: seconds.
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
    """What was seen of a running server; None when there was no handshake."""
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


#: Errors in files that a server starts with all the same, on loopback at least. Others keep it from starting.
_STARTS = frozenset(("TLS121", "TLS132", "TLS138", "TLS140", "TLS141", "TLS144", "TLS148"))
#: What nobody trusts: a certificate out of its time, for something else, or signed by nobody but itself.
_UNTRUSTED = frozenset(("TLS138", "TLS140", "TLS141", "TLS147", "TLS148"))


def grade_input_of_settings(
    settings: Settings, identity: Identity | None, findings: Iterable[Finding] = ()
) -> GradeInput | None:
    """What the settings promise; None when a server would not start with them.

    Arguments:
        identity: the certificate that would be served; None when there is none yet, or it cannot be.
        findings: what was found in files, settings and the server.
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

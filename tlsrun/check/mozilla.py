"""Whether Mozilla's server-side TLS guideline 6.0 is met (https://wiki.mozilla.org/Security/Server_Side_TLS)."""

from __future__ import annotations

from collections.abc import Iterator

from tlsrun.certificates.keys import certificate_key_type
from tlsrun.check.grade_input import GradeInput
from tlsrun.tls.policy import VERSIONS

#: Seconds of Strict-Transport-Security, and days of a certificate.
_HSTS, _DAYS = 63072000, 366
_KEYS = ("ECDSA P-256", "ECDSA P-384", "RSA 2048", "RSA 3072", "RSA 4096")


def mozilla_profile(given: GradeInput) -> str:
    """The profile that is met, with its gaps, or why none is met."""
    spoken = sorted(version for version, is_spoken in given.versions.items() if is_spoken)
    if not spoken:
        return "is not known"
    if old := [version for version in spoken if version.removeprefix("TLS ") not in VERSIONS]:
        return f"is none, because {' and '.join(old)} is spoken"
    if "TLS 1.3" not in spoken:
        return "is none, because TLS 1.3 is not spoken"
    profile = "modern" if spoken == ["TLS 1.3"] else "intermediate"
    if given.weak or given.other:
        return f"{profile} is not met, because other suites than its own are accepted"
    gaps = ", ".join(_gaps(given))
    return f"{profile} is met" + (f", but for {gaps}" if gaps else "")


def _gaps(given: GradeInput) -> Iterator[str]:
    """What else the guideline asks for, besides versions and suites."""
    certificate = given.certificate
    if certificate is not None:
        kind = certificate_key_type(certificate)
        if kind not in _KEYS:
            yield f"the key ({kind}; ECDSA P-256 or RSA 2048)"
        days = (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days
        if days > _DAYS:
            yield f"the certificate's lifetime ({days} days; at most {_DAYS})"
    if given.hsts < _HSTS:
        yield f"Strict-Transport-Security ({given.hsts} s; at least {_HSTS})"

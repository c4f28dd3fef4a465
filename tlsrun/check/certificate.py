"""What clients will say of one certificate, wherever it was found: on the disk, or in a handshake."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tlsrun.check.finding import Finding, found, from_problem, from_problems
from tlsrun.tls import checks
from tlsrun.tls.chain import is_signed_by
from tlsrun.tls.keys import certificate_key_type
from tlsrun.tls.names import shown_name
from tlsrun.tls.sources import Source

DAY = datetime.timedelta(days=1)

#: Days before its end from which a certificate counts as expiring soon; a third of its lifetime when that is less.
SOON = 21 * DAY

#: From when on public CAs may issue for how many days (CA/Browser Forum, Baseline Requirements, section 6.3.2).
_LONGEST = (
    (datetime.date(2029, 3, 15), 47),
    (datetime.date(2027, 3, 15), 100),
    (datetime.date(2026, 3, 15), 200),
    (datetime.date(2020, 9, 1), 398),
)
#: What Apple's systems accept of any CA (support.apple.com/103769), and public CAs could issue before.
_LONGEST_OF_ALL = 825

_SHORTEST_RSA = 2048
_SHORTEST_CURVE = 224


@dataclass(frozen=True, kw_only=True)
class View:
    """How certificates are looked at.

    Arguments:
        now: the time, in UTC.
        within: how much before its end a certificate counts as expiring soon; None for `SOON`.
    """

    now: datetime.datetime
    within: datetime.timedelta | None = None


def judge_leaf(certificate: x509.Certificate, source: Source, view: View, *, private: bool) -> Iterator[Finding]:
    """Everything about a server's own certificate but its chain and the hosts that it is for.

    Arguments:
        source: where it was found.
        private: whether an authority of the user's own signed it, for which browsers have other limits.
    """
    name = f"the certificate {shown_name(certificate.subject)} in {source.name}"
    yield from from_problems(checks.oddities(certificate, source), "openssl-refuses")
    yield from judge_any(certificate, name, source, view)
    if is_signed_by(certificate, certificate):
        yield found("self-signed", source.given_by, f"{name} is signed by nobody but itself")
    yield from _lifetime(certificate, name, source, private=private)


def judge_any(certificate: x509.Certificate, name: str, source: Source, view: View) -> Iterator[Finding]:
    """What counts for intermediates too: dates, signature, key.

    Arguments:
        name: what to call it in messages.
    """
    problem = checks.validity(certificate, view.now, name, source)
    if problem is not None:
        yield from_problem(problem, "expired")
    elif certificate.not_valid_after_utc - view.now <= _soon(certificate, view):
        yield _expires_soon(certificate, name, source, view)
    if weak := weak_signature(certificate):
        yield found("weak-signature", source.given_by, f"{name} is signed with {weak}")
    if is_weak_key(certificate):
        what = f"{name} has a key that is too short: {certificate_key_type(certificate)}"
        yield found("weak-key", source.given_by, what)


def _soon(certificate: x509.Certificate, view: View) -> datetime.timedelta:
    if view.within is not None:
        return view.within
    return min(SOON, (certificate.not_valid_after_utc - certificate.not_valid_before_utc) / 3)


def _expires_soon(certificate: x509.Certificate, name: str, source: Source, view: View) -> Finding:
    end = certificate.not_valid_after_utc
    left = checks.span(end - view.now)
    return found("expires-soon", source.given_by, f"{name} expires in {left}, on {end:%Y-%m-%d %H:%M} UTC")


def weak_signature(certificate: x509.Certificate) -> str | None:
    """The broken hash that a certificate is signed with; None when it is sound. A root's own does not count."""
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    broken = isinstance(algorithm, (hashes.SHA1, hashes.MD5))
    return algorithm.name.upper() if algorithm is not None and broken else None


def is_weak_key(certificate: x509.Certificate) -> bool:
    """Whether the key is shorter than RFC 9325, section 4.5, has it."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return False
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size < _SHORTEST_RSA
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size < _SHORTEST_CURVE


def longest_lifetime(certificate: x509.Certificate, *, private: bool) -> int:
    """The days that browsers accept for it."""
    if private:
        return _LONGEST_OF_ALL
    begins = certificate.not_valid_before_utc.date()
    return next((days for since, days in _LONGEST if begins >= since), _LONGEST_OF_ALL)


def _lifetime(certificate: x509.Certificate, name: str, source: Source, *, private: bool) -> Iterator[Finding]:
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    longest = longest_lifetime(certificate, private=private)
    if lifetime <= longest * DAY:
        return
    since = certificate.not_valid_before_utc
    yield found(
        "lifetime",
        source.given_by,
        f"{name} is valid for {lifetime.days} days, and browsers accept {longest} of one issued on {since:%Y-%m-%d}"
        + (" by an authority of your own" if private else ""),
    )

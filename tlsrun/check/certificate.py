"""Findings on one certificate, from a file or from a handshake: what clients will object to."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cryptography import x509

from tlsrun.certificates import checks
from tlsrun.certificates.chain import is_signed_by
from tlsrun.certificates.keys import certificate_key_type
from tlsrun.certificates.names import shown_name
from tlsrun.certificates.sources import Source
from tlsrun.certificates.strength import is_weak_key, unknown_signature, weak_signature
from tlsrun.certificates.validity import dates_problem, expires_words, in_date, refusal
from tlsrun.check.finding import Finding, found, from_problem, from_problems
from tlsrun.renewal.expiry import soon

DAY = datetime.timedelta(days=1)

#: Date of issue -> longest validity of a public CA's certificate, in days (CA/B Forum Baseline Requirements, 6.3.2).
_LONGEST = (
    (datetime.date(2029, 3, 15), 47),
    (datetime.date(2027, 3, 15), 100),
    (datetime.date(2026, 3, 15), 200),
    (datetime.date(2020, 9, 1), 398),
)
#: Longest validity in days that Apple accepts from any CA (support.apple.com/103769); public CAs' limit before 2020.
_LONGEST_OF_ALL = 825


@dataclass(frozen=True, kw_only=True)
class View:
    """By which time certificates are judged.

    Arguments:
        now: the current time, in UTC.
        within: how long before its end a certificate counts as expiring soon; None for `tlsrun.renewal.expiry.soon`.
    """

    now: datetime.datetime
    within: datetime.timedelta | None = None


def judge_leaf(certificate: x509.Certificate, source: Source, view: View, *, private: bool) -> Iterator[Finding]:
    """Findings on a server's own certificate, except those on its chain and its names.

    Arguments:
        source: where it was found.
        private: whether it was signed by a private CA, for which browsers have other limits.
    """
    name = f"the certificate {shown_name(certificate.subject)} in {source.name}"
    yield from from_problems(checks.oddities(certificate, source), "openssl-refuses")
    yield from _dates(certificate, name, source, view)
    yield from _strength(certificate, name, source)
    if is_signed_by(certificate, certificate):
        yield found("self-signed", source.given_by, f"{name} is signed by nobody but itself")
    yield from _lifetime(certificate, name, source, private=private)


def judge_issuers(
    certificate: x509.Certificate,
    issuers: Sequence[x509.Certificate],
    source: Source,
    view: View,
    *,
    known_root: Callable[[x509.Certificate], bool],
) -> Iterator[Finding]:
    """Findings on the intermediates: dates, signature, key.

    Arguments:
        certificate: the server's own.
        issuers: the intermediates in order, the certificate's issuer first.
        source: where they were found.
        known_root: whether a known root signed a certificate.
    """
    needed = refusal(certificate, issuers, view.now, source, known_root=known_root)
    if needed is not None and needed.code == "TLS138":
        yield from_problem(needed, "issuer-expired")
    for place, issuer in enumerate(issuers):
        name = f"the issuer {shown_name(issuer.subject)} in {source.name}"
        if in_date(issuer, view.now):
            yield from _dates(issuer, name, source, view)
        elif place or needed is None:
            problem = dates_problem(issuer, view.now, name, source)
            what = f"{problem.what if problem else name}; clients that know it from elsewhere do without it"
            yield found("issuer-left-out", source.given_by, what)
        yield from _strength(issuer, name, source)


def _dates(certificate: x509.Certificate, name: str, source: Source, view: View) -> Iterator[Finding]:
    problem = dates_problem(certificate, view.now, name, source)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if problem is not None:
        yield from_problem(problem, "expired")
    elif ends - view.now <= (soon(begins, ends) if view.within is None else view.within):
        yield found("expires-soon", source.given_by, f"{name} {expires_words(ends, view.now)}")


def _strength(certificate: x509.Certificate, name: str, source: Source) -> Iterator[Finding]:
    if weak := weak_signature(certificate):
        yield found("weak-signature", source.given_by, f"{name} is signed with {weak}")
    if unknown := unknown_signature(certificate):
        yield found("signature-kind", source.given_by, f"{name} is signed with {unknown}")
    if is_weak_key(certificate):
        what = f"{name} has a key that is too short: {certificate_key_type(certificate)}"
        yield found("weak-key", source.given_by, what)


def longest_lifetime(certificate: x509.Certificate, *, private: bool) -> int:
    """The longest validity that browsers accept for it, in days."""
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

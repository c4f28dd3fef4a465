"""Whether clients accept the dates of what is sent: one rule, at the start and for each renewal."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import replace

from cryptography import x509

from tlsrun.certificates.names import issuer_address, shown_name
from tlsrun.certificates.sources import Source
from tlsrun.errors import Problem


def in_date(certificate: x509.Certificate, now: datetime.datetime) -> bool:
    """Whether it is valid at ``now`` by its dates, both included (RFC 5280, section 4.1.2.5)."""
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def dates_problem(certificate: x509.Certificate, now: datetime.datetime, name: str, source: Source) -> Problem | None:
    """Why ``certificate`` is not valid at ``now``; None if it is.

    Arguments:
        now: timezone-aware.
        name: what to call it in the message.
    """
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    clock = f"this machine's clock says {moment(now)}"
    if now > ends:
        return source.problem(
            what=f"{name} {expired_words(ends, now)}",
            remedy=f"Renew it (certbot: certbot renew); {clock}",
            code="TLS140",
        )
    if now < begins:
        return source.problem(
            what=f"{name} is not valid yet: it is from {moment(begins)} on, in {span(begins - now)}",
            remedy=f"Check the time: {clock}; if that is right, wait, or use another certificate",
            code="TLS141",
        )
    return None


def refusal(
    certificate: x509.Certificate,
    issuers: Sequence[x509.Certificate],
    now: datetime.datetime,
    source: Source,
    *,
    known_root: Callable[[x509.Certificate], bool],
) -> Problem | None:
    """Why clients refuse a server that sends these at ``now``; None if some clients accept it.

    Of the issuers only the first counts. Without it no client can build a path from the certificate to a root, unless a
    root signed the certificate itself. One further up may be a cross-signed root: a client that has the root needs
    nothing above it, and which roots a client has is not known here.

    Arguments:
        certificate: the server's own.
        issuers: what is sent with it, in order.
        now: timezone-aware.
        source: where they were read from.
        known_root: whether a root that this machine knows signed a certificate.
    """
    name = f"the certificate {shown_name(certificate.subject)} in {source.name}"
    problem = dates_problem(certificate, now, name, source)
    if problem is not None or not issuers or known_root(certificate):
        return problem
    issuer = f"the issuer {shown_name(issuers[0].subject)}, sent with {name},"
    problem = dates_problem(issuers[0], now, issuer, source)
    if problem is None:
        return None
    address = issuer_address(certificate)
    return replace(
        problem,
        what=f"{problem.what}; clients that do not have another version of it refuse the certificate",
        remedy="Put the issuer that your CA uses now behind the certificate"
        + (f" (it is at {address})" if address else "")
        + f"; this machine's clock says {moment(now)}",
        code="TLS138",
    )


def first_to_end(
    certificate: x509.Certificate,
    issuers: Sequence[x509.Certificate],
    *,
    known_root: Callable[[x509.Certificate], bool],
) -> x509.Certificate:
    """Of the certificates that clients need (see `refusal`), the one that expires first. Arguments as there."""
    if not issuers or issuers[0].not_valid_after_utc >= certificate.not_valid_after_utc or known_root(certificate):
        return certificate
    return issuers[0]


def moment(when: datetime.datetime) -> str:
    """A point in time, to the minute: ``2026-12-01 09:30 UTC``."""
    return when.astimezone(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def expired_words(ends: datetime.datetime, now: datetime.datetime) -> str:
    """``expired on 2026-12-01 09:30 UTC, 3 days ago``."""
    return f"expired on {moment(ends)}, {span(now - ends)} ago"


def expires_words(ends: datetime.datetime, now: datetime.datetime) -> str:
    """``expires in 3 days, on 2026-12-01 09:30 UTC``."""
    return f"expires in {span(ends - now)}, on {moment(ends)}"


def span(length: datetime.timedelta) -> str:
    """A length of time in its largest unit: ``3 days``, ``1 hour``."""
    for unit, seconds in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count = int(length.total_seconds()) // seconds
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a second"

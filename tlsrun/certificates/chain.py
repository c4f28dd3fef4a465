"""Builds the chain, from certificates in any order: the leaf, then each issuer, without the root."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from tlsrun.certificates.names import extension, issuer_address, shown_name
from tlsrun.certificates.sources import Source
from tlsrun.certificates.validity import expired_words, in_date
from tlsrun.errors import Problem


@dataclass(frozen=True, kw_only=True)
class GivenCertificate:
    """A certificate, and the source it was read from."""

    certificate: x509.Certificate
    source: Source


@dataclass(frozen=True, kw_only=True)
class Chain:
    """What is sent to clients.

    Arguments:
        leaf: the server's own certificate.
        issuers: the intermediates, in order.
        warnings: what was corrected, was left out, or is missing.
    """

    leaf: x509.Certificate
    issuers: tuple[x509.Certificate, ...]
    warnings: tuple[Problem, ...]


def find_leaf(
    given: Sequence[GivenCertificate], fits: Callable[[x509.Certificate], bool], now: datetime.datetime
) -> GivenCertificate | None:
    """The certificate that ``fits`` the key; of several, preferably one that is not a CA, and that is in date."""
    fitting = [one for one in given if fits(one.certificate)]
    return min(fitting, key=lambda one: (is_ca(one.certificate), not in_date(one.certificate, now)), default=None)


def is_ca(certificate: x509.Certificate) -> bool:
    """Whether it may sign other certificates (basicConstraints, RFC 5280, section 4.2.1.9)."""
    constraints = extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def is_signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether ``certificate`` names ``issuer`` as its issuer and bears its signature."""
    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except UnsupportedAlgorithm:
        # The library cannot check this signature; the key identifiers have to do.
        return _key_identifiers_agree(certificate, issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def build_chain(
    leaf: GivenCertificate,
    given: Sequence[GivenCertificate],
    *,
    known_root: Callable[[x509.Certificate], bool],
    now: datetime.datetime,
) -> Chain:
    """Order the certificates in ``given``, of which ``leaf`` is one.

    An expired issuer is left out, with everything above it, if clients can do without it (see
    `tlsrun.certificates.validity.refusal`): it would mislead old clients, which try only the first path they find.

    Arguments:
        known_root: whether a root that this machine knows signed a certificate.
        now: the current time, timezone-aware.
    """
    first: dict[x509.Certificate, GivenCertificate] = {}
    for one in given:
        first.setdefault(one.certificate, one)
    unique = list(first.values())
    whole = _line(leaf, unique, now)
    line = _without_expired(whole, known_root, now)
    left_out = [one for one in unique if one not in whole]
    root = line[-1] if len(line) > 1 and _is_self_signed(line[-1].certificate) else None
    expired = [
        *whole[len(line) : len(line) + 1],
        *(one for one in left_out if _has_expired(one, now) and _signed_one_of(line, one)),
    ]
    warnings = [
        *_duplicate_warnings([one for position, one in enumerate(given) if _is_copy(position, given)]),
        *_order_warnings(whole, [one for one in unique if one in whole]),
        *(_expired_warning(one, leaf, now) for one in expired),
        *_unrelated_warnings([one for one in left_out if one not in expired], leaf),
        *([_root_warning(root)] if root is not None else []),
    ]
    if len(line) == 1 and not _is_self_signed(leaf.certificate) and not known_root(leaf.certificate):
        warnings.append(missing_issuer(leaf))
    issuers = tuple(one.certificate for one in line[1:] if one is not root)
    return Chain(leaf=leaf.certificate, issuers=issuers, warnings=tuple(warnings))


def _line(leaf: GivenCertificate, given: Sequence[GivenCertificate], now: datetime.datetime) -> list[GivenCertificate]:
    """The certificates from the leaf up to the last issuer that was given."""
    line = [leaf]
    while not _is_self_signed(last := line[-1].certificate):
        issuers = [one for one in given if one not in line and is_signed_by(last, one.certificate)]
        if not issuers:
            break
        # Of two versions of an issuer, prefer the cross-signed one: clients that lack the new root can verify it too.
        line.append(
            min(
                issuers,
                key=lambda one: (_has_expired(one, now), _is_self_signed(one.certificate), _expires_last(one)),
            )
        )
    return line


def _without_expired(
    line: list[GivenCertificate], known_root: Callable[[x509.Certificate], bool], now: datetime.datetime
) -> list[GivenCertificate]:
    """The line up to, and without, the first expired issuer; all of it if clients need that issuer."""
    above = [place for place, one in enumerate(line) if place > 0 and not _is_self_signed(one.certificate)]
    end = next((place for place in above if _has_expired(line[place], now)), len(line))
    if end == 1 and not known_root(line[0].certificate):
        return line
    return line[:end]


def _signed_one_of(line: list[GivenCertificate], issuer: GivenCertificate) -> bool:
    return any(is_signed_by(one.certificate, issuer.certificate) for one in line)


def _has_expired(one: GivenCertificate, now: datetime.datetime) -> bool:
    return now > one.certificate.not_valid_after_utc


def _expires_last(one: GivenCertificate) -> float:
    return -one.certificate.not_valid_after_utc.timestamp()


def _is_self_signed(certificate: x509.Certificate) -> bool:
    return is_signed_by(certificate, certificate)


def _key_identifiers_agree(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    above = extension(certificate, x509.AuthorityKeyIdentifier)
    own = extension(issuer, x509.SubjectKeyIdentifier)
    return above is not None and own is not None and above.key_identifier == own.digest


def _show(certificates: Sequence[GivenCertificate]) -> str:
    return ", ".join(shown_name(one.certificate.subject) for one in certificates)


def _files(certificates: Sequence[GivenCertificate]) -> tuple[str, str]:
    """The settings that name them, and the files that hold them, each once."""
    sources = list(dict.fromkeys(one.source for one in certificates))
    return " and ".join(one.given_by for one in sources), " and ".join(one.name for one in sources)


def _is_copy(position: int, given: Sequence[GivenCertificate]) -> bool:
    return any(one.certificate == given[position].certificate for one in given[:position])


def _duplicate_warnings(copies_given: Sequence[GivenCertificate]) -> Iterator[Problem]:
    for source in dict.fromkeys(one.source for one in copies_given):
        copies = list(dict.fromkeys(one for one in copies_given if one.source == source))
        yield source.problem(
            what=f"{source.name} repeats what was given before ({_show(copies)}); it is sent once",
            remedy="Remove the copy",
            code="TLS135",
        )


def _order_warnings(line: list[GivenCertificate], as_given: list[GivenCertificate]) -> Iterator[Problem]:
    if line == as_given:
        return
    served = [one for one in line if one is line[0] or not _is_self_signed(one.certificate)]
    given_by, files = _files(as_given)
    yield Problem(
        where=given_by,
        what=f"the certificates in {files} are in the wrong order ({_show(as_given)}); "
        f"they are served in the right one ({_show(served)})",
        remedy="Put the server's own certificate first, then each one's issuer",
        code="TLS131",
    )


def _unrelated_warnings(left_out: list[GivenCertificate], leaf: GivenCertificate) -> Iterator[Problem]:
    for source in dict.fromkeys(one.source for one in left_out):
        strangers = [one for one in left_out if one.source == source]
        yield source.problem(
            what=f"{source.name} holds certificates that did not sign {shown_name(leaf.certificate.subject)} "
            f"nor its issuers ({_show(strangers)}); they are left out",
            remedy="Remove them; if clients then miss an issuer, get the chain from your CA again",
            code="TLS136",
        )


def _expired_warning(expired: GivenCertificate, leaf: GivenCertificate, now: datetime.datetime) -> Problem:
    name, issuer = shown_name(expired.certificate.subject), shown_name(expired.certificate.issuer)
    words = expired_words(expired.certificate.not_valid_after_utc, now)
    return expired.source.problem(
        what=f"{expired.source.name} holds {name} as signed by {issuer}, which {words}; it is left out, with what "
        f"stands above it: clients that know {name} accept {shown_name(leaf.certificate.subject)} without it",
        remedy="Remove it; if clients then miss an issuer, get the chain from your CA again",
        code="TLS137",
    )


def _root_warning(root: GivenCertificate) -> Problem:
    return root.source.problem(
        what=f"{root.source.name} holds the root ({shown_name(root.certificate.subject)}), "
        "which clients must have themselves; it is left out",
        remedy="Remove it",
        code="TLS134",
    )


def missing_issuer(last: GivenCertificate) -> Problem:
    """The problem that the issuer of ``last``, the end of a chain, was not given and is not a known root."""
    subject, issuer = shown_name(last.certificate.subject), shown_name(last.certificate.issuer)
    address = issuer_address(last.certificate)
    remedy = "Add the issuer's certificate" + (f" (it is at {address})" if address else "")
    return last.source.problem(
        what=f"{last.source.name} does not hold {issuer}, the issuer of {subject}, and this machine does not "
        "know it as a root: clients that do not have it cannot verify the certificate",
        remedy=f"{remedy} behind the certificate, or as TLS_CHAIN (--chain); "
        "if it is a root that your clients trust, nothing is missing",
        code="TLS132" if address else "TLS133",
    )

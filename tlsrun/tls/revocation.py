"""Revocation lists (RFC 5280, section 5): whether they revoke a certificate, and whether they are usable.

The rules are those of OpenSSL's X509_verify_cert(3) with CRL_CHECK:

- A list belongs to the issuer with its name, unless their key identifiers differ.
- A certificate on a list that its issuer signed is revoked, however old the list is.
- That a certificate is not revoked can be told only by a list of its issuer that is complete, covers such certificates,
  is signed by the issuer and in date, and has no unknown critical extension. If the issuer's lists are all unusable,
  the certificate is refused.
- If the issuer has no list at all, a client is refused (by OpenSSL itself), and an authority is not: most authorities
  publish no list of the authorities below them, and their clients must be accepted.

An entry counts whatever its own extensions, except the one that removes it from the list (removeFromCRL).
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtensionOID

from tlsrun.certificates.chain import is_ca
from tlsrun.certificates.names import extension, shown_name
from tlsrun.certificates.pem import parse_pem
from tlsrun.certificates.validity import moment

_LABEL = "X509 CRL"
_UNDERSTOOD = frozenset(
    (ExtensionOID.ISSUING_DISTRIBUTION_POINT, ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.DELTA_CRL_INDICATOR)
)

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)
_Name: TypeAlias = tuple[frozenset[tuple[str, str]], ...]


@dataclass(frozen=True, eq=False)
class RevocationList:
    """A revocation list.

    Arguments:
        der: the list in DER.

    Raises:
        ValueError: it is not a revocation list.
    """

    der: bytes

    def __post_init__(self) -> None:
        # Parsed now, so that faults are found at the start and not in a handshake.
        try:
            _ = self.issuer, self.version, self.point, self.unknown
        except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
            raise ValueError(str(error)) from error

    @cached_property
    def crl(self) -> x509.CertificateRevocationList:
        """The list, parsed by `cryptography`."""
        return x509.load_der_x509_crl(self.der)

    @cached_property
    def issuer(self) -> _Name:
        """The issuer's name, in the form for comparison."""
        return comparable(self.crl.issuer)

    @property
    def name(self) -> str:
        """Its name in messages."""
        return f"the revocation list of {shown_name(self.crl.issuer)}"

    @cached_property
    def version(self) -> int:
        """1, or 2, which has extensions (RFC 5280, section 5.1.2.1)."""
        # CertificateList ::= SEQUENCE { tbsCertList SEQUENCE { version INTEGER OPTIONAL, … } … }
        tbs = self.crl.tbs_certlist_bytes
        header = 2 + (tbs[1] & 0x7F if tbs[1] & 0x80 else 0)
        return 2 if tbs[header] == 2 else 1

    @cached_property
    def point(self) -> x509.IssuingDistributionPoint | None:
        """Which certificates it covers; None for all of the issuer's."""
        return self._extension(x509.IssuingDistributionPoint)

    @cached_property
    def unknown(self) -> str | None:
        """An unknown critical extension; None without one."""
        found = (one.oid for one in self.crl.extensions if one.critical and one.oid not in _UNDERSTOOD)
        return next((oid.dotted_string for oid in found), None)

    @property
    def partial(self) -> str | None:
        """Why it cannot prove that a certificate is not revoked; None if it is complete."""
        if self._extension(x509.DeltaCRLIndicator) is not None:
            return "a delta list, which says what has changed since another one"
        if self.point is not None and self.point.indirect_crl:
            return "an indirect list, of certificates that others have issued"
        if self.point is not None and self.point.only_some_reasons:
            return "a list for some reasons of revocation only"
        return None

    def _extension(self, kind: type[_Extension]) -> _Extension | None:
        try:
            return self.crl.extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None

    def holds(self, certificate: x509.Certificate) -> bool:
        """Whether it revokes ``certificate``."""
        entry = self.crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
        if entry is None:
            return False
        try:
            reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
        except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
            return True
        return reason is not x509.ReasonFlags.remove_from_crl

    def is_of(self, issuer: x509.Certificate) -> bool:
        """Whether it belongs to ``issuer``, by name and key identifier."""
        if self.issuer != comparable(issuer.subject):
            return False
        theirs = self._extension(x509.AuthorityKeyIdentifier)
        own = extension(issuer, x509.SubjectKeyIdentifier)
        if theirs is None:
            return True
        number = theirs.authority_cert_serial_number
        if number is not None and number != issuer.serial_number:
            return False
        return theirs.key_identifier is None or own is None or theirs.key_identifier == own.digest

    def is_for(self, certificate: x509.Certificate) -> bool:
        """Whether it covers certificates like this one."""
        point = self.point
        if point is None:
            return True
        if point.only_contains_attribute_certs:
            return False
        if point.only_contains_user_certs if is_ca(certificate) else point.only_contains_ca_certs:
            return False
        if not point.full_name and point.relative_name is None:
            return True
        named = extension(certificate, x509.CRLDistributionPoints) or ()
        return any(set(one.full_name or ()) & set(point.full_name or ()) for one in named) or any(
            point.relative_name is not None and one.relative_name == point.relative_name for one in named
        )

    def untimely(self, now: datetime.datetime) -> str | None:
        """Why it is not in date at ``now``; None if it is."""
        begins, ends = self.crl.last_update_utc, self.crl.next_update_utc
        if ends is not None and ends < now:
            return f"expired on {moment(ends)}"
        if begins > now:
            return f"is not valid before {moment(begins)}"
        return None

    def in_force(self, now: datetime.datetime) -> bool:
        """Whether it is usable at ``now``, by its own fields."""
        return self.partial is None and self.unknown is None and self.untimely(now) is None

    @property
    def moments(self) -> tuple[datetime.datetime, ...]:
        """When the result of `untimely` changes."""
        return tuple(filter(None, (self.crl.last_update_utc, self.crl.next_update_utc)))

    def unsigned_by(self, issuer: x509.Certificate) -> str | None:
        """Why it is not validly signed by ``issuer``; None if it is."""
        usage = extension(issuer, x509.KeyUsage)
        if usage is not None and not usage.crl_sign:
            return f"is of an authority that may not sign lists (its keyUsage lacks cRLSign: {_called(issuer)})"
        try:
            signed = self.crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
        except (TypeError, ValueError, UnsupportedAlgorithm):
            signed = False
        return None if signed else f"is not signed by the key of {_called(issuer)}"


@functools.lru_cache(maxsize=1)  # a start asks for the same ones thrice, and they may be of megabytes
def read_lists(pem: bytes) -> tuple[RevocationList, ...]:
    """The lists among the blocks of ``pem``.

    Raises:
        ValueError: one of them cannot be read.
    """
    return tuple(RevocationList(block.der) for block in parse_pem(pem).blocks if block.label == _LABEL)


def objection(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    lists: Sequence[RevocationList],
    now: datetime.datetime,
) -> str | None:
    """Why ``certificate`` must not be trusted, by the lists of ``issuer``.

    Arguments:
        issuer: the authority that signed it.
        now: the current time, with its time zone.

    Returns:
        None if a list proves that it is not revoked, or none covers such certificates.
    """
    own = [one for one in lists if one.is_of(issuer)]
    signed = [one for one in own if one.unsigned_by(issuer) is None]
    for one in signed:
        if one.holds(certificate):
            return f"it is revoked, by {one.name}"
    # A self-signed authority can only be on its own list.
    if comparable(certificate.subject) == comparable(certificate.issuer):
        return None
    whole = [one for one in own if one.partial is None and one.is_for(certificate)]
    faults = [one.unsigned_by(issuer) or one.untimely(now) or _strange(one) for one in whole]
    if not whole or None in faults:
        return None
    return f"{whole[0].name} {faults[0]}"


def oddities(
    one: RevocationList, authorities: Sequence[x509.Certificate], now: datetime.datetime
) -> Iterator[tuple[str, str]]:
    """Why a list is not usable: the end of a sentence, and what to do.

    Arguments:
        authorities: the trusted authorities. A list's issuer may also be one that clients send.
        now: the current time, with its time zone.
    """
    fetch = "Fetch it anew from its authority"
    if (when := one.untimely(now)) is not None:
        yield f"{when}: whoever this authority has signed is refused", fetch
    if one.partial is not None:
        yield f"is {one.partial}: nobody goes by it alone", "Add the authority's whole list to the file"
    if one.unknown is not None:
        yield f"{_strange(one)}: whoever this authority has signed is refused", fetch
    issuers = [authority for authority in authorities if one.is_of(authority)]
    faults = [one.unsigned_by(issuer) for issuer in issuers]
    if faults and None not in faults:
        yield f"{faults[0]}: whoever this authority has signed is refused", fetch


def comparable(name: x509.Name) -> _Name:
    """A name in the form for comparison: case-folded, with single spaces (RFC 5280, section 7.1)."""
    return tuple(
        frozenset((one.oid.dotted_string, " ".join(str(one.value).casefold().split())) for one in part)
        for part in name.rdns
    )


def _strange(one: RevocationList) -> str | None:
    return None if one.unknown is None else f"has a critical extension that is not known here ({one.unknown})"


def _called(certificate: x509.Certificate) -> str:
    return shown_name(certificate.subject)

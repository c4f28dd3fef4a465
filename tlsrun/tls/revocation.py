"""Revocation lists (RFC 5280, section 5): what they say of a certificate, and whether they can be gone by at all.

The rules, those of OpenSSL's X509_verify_cert(3) with CRL_CHECK:

- A list is of the issuer whose name it has, unless their key identifiers differ.
- Who stands on a list that the issuer signed is revoked, however old that list is.
- Of who does not, only a list of the issuer says so that is complete, for such certificates, signed by the issuer, in
  date, and without a critical extension that nobody here knows. With none but others nothing can be known: refused.
- Where the issuer has no list at all: a client is refused (OpenSSL's own look), an authority is not. Most authorities
  publish no list of the authorities below them, and their clients must come in.

An entry counts whatever its own extensions say, but for one that takes it off the list again (removeFromCRL).
"""

from __future__ import annotations

import datetime
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

_LABEL = "X509 CRL"
_UNDERSTOOD = frozenset(
    (ExtensionOID.ISSUING_DISTRIBUTION_POINT, ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.DELTA_CRL_INDICATOR)
)

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)
_Name: TypeAlias = tuple[frozenset[tuple[str, str]], ...]


@dataclass(frozen=True, eq=False)
class RevocationList:
    """One list.

    Arguments:
        der: the list.

    Raises:
        ValueError: it is none.
    """

    der: bytes

    def __post_init__(self) -> None:
        # Read now: what cannot be read is found at the start, not in a handshake.
        try:
            _ = self.issuer, self.version, self.point, self.unknown
        except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
            raise ValueError(str(error)) from error

    @cached_property
    def crl(self) -> x509.CertificateRevocationList:
        """As the library has it."""
        return x509.load_der_x509_crl(self.der)

    @cached_property
    def issuer(self) -> _Name:
        """Who it says has issued it, as names are compared."""
        return comparable(self.crl.issuer)

    @property
    def name(self) -> str:
        """What to call it."""
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
        """For which certificates it is; None for all of the issuer's."""
        return self._extension(x509.IssuingDistributionPoint)

    @cached_property
    def unknown(self) -> str | None:
        """A critical extension that nobody here knows; None without."""
        found = (one.oid for one in self.crl.extensions if one.critical and one.oid not in _UNDERSTOOD)
        return next((oid.dotted_string for oid in found), None)

    @property
    def partial(self) -> str | None:
        """Why nobody can be known from it not to be revoked, in words; None when it is a whole list."""
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
        """Whether it is a list of ``issuer``, by name and key identifier."""
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
        """Whether certificates like this one would stand on it."""
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
        """Why it does not hold at ``now``, in words; None when it does."""
        begins, ends = self.crl.last_update_utc, self.crl.next_update_utc
        if ends is not None and ends < now:
            return f"expired on {ends:%Y-%m-%d %H:%M} UTC"
        if begins > now:
            return f"is not valid before {begins:%Y-%m-%d %H:%M} UTC"
        return None

    def in_force(self, now: datetime.datetime) -> bool:
        """Whether it can be gone by at ``now``, as far as it says so itself."""
        return self.partial is None and self.unknown is None and self.untimely(now) is None

    @property
    def moments(self) -> tuple[datetime.datetime, ...]:
        """When what `untimely` says changes."""
        return tuple(filter(None, (self.crl.last_update_utc, self.crl.next_update_utc)))

    def unsigned_by(self, issuer: x509.Certificate) -> str | None:
        """Why ``issuer`` does not stand for it, in words; None when it does."""
        usage = extension(issuer, x509.KeyUsage)
        if usage is not None and not usage.crl_sign:
            return f"is of an authority that may not sign lists (its keyUsage lacks cRLSign: {_called(issuer)})"
        try:
            signed = self.crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
        except (TypeError, ValueError, UnsupportedAlgorithm):
            signed = False
        return None if signed else f"is not signed by the key of {_called(issuer)}"


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
    """Why ``certificate`` is not to be trusted, by the lists of ``issuer``.

    Arguments:
        issuer: whose key signed it.
        now: the time, with its zone.

    Returns:
        None when one of them says that it is not revoked, or there is none for such certificates.
    """
    own = [one for one in lists if one.is_of(issuer)]
    signed = [one for one in own if one.unsigned_by(issuer) is None]
    for one in signed:
        if one.holds(certificate):
            return f"it is revoked, by {one.name}"
    # Who is the end of all paths is on no list but its own.
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
    """What will keep a list from being gone by: what it is, as the end of a sentence, and what to do.

    Arguments:
        authorities: those that are trusted. The issuer of a list may be another one, which clients send.
        now: the time, with its zone.
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
    """A name as names are compared: without case, and with single spaces (RFC 5280, section 7.1)."""
    return tuple(
        frozenset((one.oid.dotted_string, " ".join(str(one.value).casefold().split())) for one in part)
        for part in name.rdns
    )


def _strange(one: RevocationList) -> str | None:
    return None if one.unknown is None else f"has a critical extension that is not known here ({one.unknown})"


def _called(certificate: x509.Certificate) -> str:
    return shown_name(certificate.subject)

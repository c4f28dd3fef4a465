"""Describes a certificate for people: one fact on each line."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from tlsrun.certificates.algorithms import NAMES
from tlsrun.certificates.chain import is_ca, is_signed_by
from tlsrun.certificates.keys import certificate_key_type
from tlsrun.certificates.names import extension, shown_name
from tlsrun.certificates.validity import span


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One fact about a certificate.

    Arguments:
        label: what it is about.
        text: the fact itself.
        alarming: whether clients refuse the certificate because of it.
    """

    label: str
    text: str
    alarming: bool = False


def title(certificate: x509.Certificate) -> str:
    """What to call it: its common name, else its first alternative name, else the whole subject."""
    if certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME):
        return shown_name(certificate.subject).removeprefix("CN=")
    return next(_names(certificate), None) or shown_name(certificate.subject)


def describe(certificate: x509.Certificate, now: datetime.datetime) -> Iterator[Fact]:
    """The facts about it, the most interesting first.

    Arguments:
        now: the current time, timezone-aware, from which days are counted.
    """
    names = list(_names(certificate))
    if names:
        yield Fact(label="names", text=", ".join(names))
    elif not is_ca(certificate):
        yield Fact(label="names", text="none in subjectAltName: clients refuse it", alarming=True)
    yield _validity(certificate, now)
    yield Fact(label="for", text=", ".join(_uses(certificate)))
    yield Fact(label="key", text=certificate_key_type(certificate))
    yield Fact(label="subject", text=_distinguished(certificate.subject))
    own = is_signed_by(certificate, certificate)
    yield Fact(label="issuer", text="itself" if own else _distinguished(certificate.issuer))
    yield Fact(label="signature", text=_signature(certificate))
    yield Fact(label="serial", text=serial(certificate))
    yield Fact(label="SHA-256", text=fingerprint(certificate))
    yield from _addresses(certificate)


def serial(certificate: x509.Certificate) -> str:
    """The serial number as browsers show it: ``04:AB:…``."""
    digits = f"{abs(certificate.serial_number):X}"
    return _colons(bytes.fromhex(digits.zfill(len(digits) + len(digits) % 2)))


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate as ``openssl x509 -fingerprint -sha256`` prints it: ``9F:86:…``."""
    return _colons(certificate.fingerprint(hashes.SHA256()))


def _colons(data: bytes) -> str:
    return data.hex(":").upper()


def _names(certificate: x509.Certificate) -> Iterator[str]:
    for name in extension(certificate, x509.SubjectAlternativeName) or ():
        if isinstance(name, (x509.DNSName, x509.IPAddress, x509.RFC822Name, x509.UniformResourceIdentifier)):
            yield str(name.value)


def _validity(certificate: x509.Certificate, now: datetime.datetime) -> Fact:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    dates = f"{begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC"
    if now > ends:
        return Fact(label="valid", text=f"{dates}: EXPIRED {span(now - ends)} ago", alarming=True)
    if now < begins:
        return Fact(label="valid", text=f"{dates}: NOT YET, in {span(begins - now)}", alarming=True)
    return Fact(label="valid", text=f"{dates}, {span(ends - now)} left")


_USES = {
    ExtendedKeyUsageOID.SERVER_AUTH: "servers",
    ExtendedKeyUsageOID.CLIENT_AUTH: "clients",
    ExtendedKeyUsageOID.CODE_SIGNING: "signing code",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "e-mail",
    ExtendedKeyUsageOID.TIME_STAMPING: "time stamps",
    ExtendedKeyUsageOID.OCSP_SIGNING: "signing OCSP answers",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "any purpose",
}


def _uses(certificate: x509.Certificate) -> Iterator[str]:
    if is_ca(certificate):
        constraints = extension(certificate, x509.BasicConstraints)
        depth = constraints.path_length if constraints is not None else None
        yield "signing others (a CA)" if depth is None else f"signing others (a CA), {depth} more CAs below it"
    usage = extension(certificate, x509.ExtendedKeyUsage)
    if usage is not None:
        yield from (_USES.get(one, one.dotted_string) for one in usage)
    elif not is_ca(certificate):
        yield "any purpose"


def _distinguished(name: x509.Name) -> str:
    """A distinguished name, starting with the common name: last part first, as in RFC 4514."""
    return ", ".join(reversed([part.rfc4514_string() for part in name.rdns])) or "(no name)"


#: Prefix of the signature's object identifier -> signature algorithm.
_SIGNERS = (
    ("1.2.840.10045.4.", "ECDSA"),
    ("1.2.840.113549.1.1.10", "RSA-PSS"),
    ("1.2.840.113549.1.1.", "RSA"),
    ("1.3.101.112", "Ed25519"),
    ("1.3.101.113", "Ed448"),
    ("1.2.840.10040.4.", "DSA"),
    *((number, name) for number, name in NAMES.items() if number.startswith("2.")),
    ("2.16.840.1.101.3.4.3.", "DSA"),
)


def _signature(certificate: x509.Certificate) -> str:
    number = certificate.signature_algorithm_oid.dotted_string
    signer = next((name for begins, name in _SIGNERS if number.startswith(begins)), number)
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return signer
    if algorithm is None:
        return signer
    name = algorithm.name.upper()
    return f"{signer} with {name.replace('SHA', 'SHA-') if name.startswith('SHA') and '-' not in name else name}"


def _addresses(certificate: x509.Certificate) -> Iterator[Fact]:
    labels = {
        AuthorityInformationAccessOID.CA_ISSUERS: "issuer at",
        AuthorityInformationAccessOID.OCSP: "OCSP at",
    }
    for one in extension(certificate, x509.AuthorityInformationAccess) or ():
        if one.access_method in labels:
            yield Fact(label=labels[one.access_method], text=str(one.access_location.value))
    for point in extension(certificate, x509.CRLDistributionPoints) or ():
        names: Iterable[x509.GeneralName] = point.full_name or ()
        for name in names:
            yield Fact(label="CRL at", text=str(name.value))

"""Issues a certificate authority for development, and certificates signed by it. Writes nothing."""

from __future__ import annotations

import datetime
import ipaddress
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tlsrun.certificates.identity import Identity
from tlsrun.certificates.keys import PrivateKey, key_pem
from tlsrun.certificates.names import extension
from tlsrun.errors import CertificateError, Problem
from tlsrun.http1.authority import a_labels

#: Ten years, like mkcert.
AUTHORITY_DAYS = 3650
#: 27 months, like mkcert. macOS and iOS refuse more than 825 days from any CA (support.apple.com/103769).
LEAF_DAYS = 820
#: For clients whose clocks are slow.
BACKDATED = datetime.timedelta(hours=1)

#: As mkcert accepts them: letters, digits, hyphens and, for names of containers, underscores.
_HOST = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_LONGEST_ATTRIBUTE = 64  # RFC 5280, appendix A.1: ub-common-name, ub-organizational-unit-name

#: P-256 is accepted by every system that accepts a private CA, and is made at once (RSA 3072 takes a second).
_MAKERS: dict[str, Callable[[], PrivateKey]] = {
    "ECDSA P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ECDSA P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "RSA 2048": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "RSA 3072": lambda: rsa.generate_private_key(public_exponent=65537, key_size=3072),
    "RSA 4096": lambda: rsa.generate_private_key(public_exponent=65537, key_size=4096),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
}

KEY_TYPES = tuple(_MAKERS)


@dataclass(frozen=True, kw_only=True)
class CertificateAuthority:
    """A certificate authority.

    Arguments:
        certificate: the root certificate.
        key: the private key.
    """

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)

    @property
    def pem(self) -> bytes:
        """The root certificate in PEM."""
        return self.certificate.public_bytes(Encoding.PEM)


def make_key(key_type: str) -> PrivateKey:
    """A new private key.

    Arguments:
        key_type: one of `KEY_TYPES`.

    Raises:
        ValueError: it is not.
    """
    if key_type not in _MAKERS:
        raise ValueError(f"key_type is one of {', '.join(KEY_TYPES)}; not {key_type!r}")
    return _MAKERS[key_type]()


def make_authority(owner: str, *, now: datetime.datetime, key: PrivateKey | None = None) -> CertificateAuthority:
    """A new authority, valid for ten years, whose certificates cannot sign others (pathlen 0).

    Arguments:
        owner: ``user@host``, for the root's name, which trust stores show.
        now: the current time, with its time zone.
        key: its private key; None for a new one (ECDSA P-256).
    """
    key = make_key("ECDSA P-256") if key is None else key
    name = _name(("tlsrun development CA", owner, f"tlsrun {owner}"))
    ends = now + datetime.timedelta(days=AUTHORITY_DAYS)
    certificate = (
        _builder(name, name, key, begins=now - BACKDATED, ends=ends)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .sign(key, _hash(key))
    )
    return CertificateAuthority(certificate=certificate, key=key)


def issue_leaf(
    ca: CertificateAuthority,
    names: Sequence[str],
    *,
    now: datetime.datetime,
    days: int = LEAF_DAYS,
    key_type: str = "ECDSA P-256",
) -> Identity:
    """A new key with a server certificate.

    Arguments:
        ca: the issuer.
        names: DNS names, also wildcards and in Unicode, and IP addresses; at least one.
        now: the current time, with its time zone.
        days: the validity, including the hour of backdating; never beyond the CA's.
        key_type: one of `KEY_TYPES`.

    Raises:
        CertificateError: some names cannot be in a certificate; lists them all.
        ValueError: the key type is unknown, or there are no names.
    """
    if not names:
        raise ValueError("a certificate needs a name")
    key = make_key(key_type)
    alternatives = [general_name(name) for name in clean_names(names)]
    begins = now - BACKDATED
    ends = min(begins + datetime.timedelta(days=days), ca.certificate.not_valid_after_utc)
    subject = _name(("tlsrun development certificate", _owner(ca.certificate), None))
    certificate = (
        _builder(subject, ca.certificate.subject, key, begins=begins, ends=ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(_authority_identifier(ca), critical=False)
        .sign(ca.key, _hash(ca.key))
    )
    return Identity(certificate=certificate, chain=(), key=key_pem(key))


def clean_names(names: Iterable[str]) -> tuple[str, ...]:
    """``names`` in the form for a certificate, without duplicates: lower case, A-labels, compressed addresses.

    Raises:
        CertificateError: some names cannot be in a certificate; lists them all.
    """
    cleaned: dict[str, None] = {}
    problems: list[Problem] = []
    for name in names:
        try:
            cleaned[_clean(name)] = None
        except ValueError:
            problems.append(
                Problem(
                    where=f"the name {name!r}",
                    what="it is no host name and no address, and cannot stand in a certificate",
                    remedy="Give a name such as example.test, *.example.test, 192.0.2.1 or 2001:db8::1",
                )
            )
    if problems:
        raise CertificateError(problems)
    return tuple(cleaned)


def _clean(name: str) -> str:
    bare = name.strip().removeprefix("[").removesuffix("]")
    try:
        return str(
            ipaddress.ip_address(bare.partition("%")[0])
        )  # without its zone, which has a meaning on this machine only
    except ValueError:
        pass
    host = a_labels(bare.removesuffix(".").lower())
    if not _HOST.fullmatch(host) or len(host) > 253:
        raise ValueError(name)
    return host


def general_name(name: str) -> x509.GeneralName:
    """A clean name as a SAN entry."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(parts: tuple[str, str, str | None]) -> x509.Name:
    kinds = (NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.COMMON_NAME)
    given = [(kind, part[:_LONGEST_ATTRIBUTE]) for kind, part in zip(kinds, parts, strict=True) if part]
    return x509.Name([x509.NameAttribute(kind, part) for kind, part in given])


def _owner(certificate: x509.Certificate) -> str:
    units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    return str(units[0].value) if units else "development"


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: PrivateKey,
    *,
    begins: datetime.datetime,
    ends: datetime.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(secrets.randbits(127) | 1 << 127)
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _authority_identifier(ca: CertificateAuthority) -> x509.AuthorityKeyIdentifier:
    own = extension(ca.certificate, x509.SubjectKeyIdentifier)
    if own is None:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _hash(key: PrivateKey) -> hashes.SHA256 | None:
    """The hash for a signature by ``key``; Ed25519 has its own."""
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()

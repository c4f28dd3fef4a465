"""Certificates made for one test run: authorities, leaves, and leaves that are wrong on purpose."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
DAY = datetime.timedelta(days=1)
PEM = serialization.Encoding.PEM

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Files of one pair, as certbot lays them, and the pair they were written from."""

    fullchain: Path
    cert: Path
    chain: Path
    key: Path
    pair: Pair


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A certificate with its key, all PEM.

    Arguments:
        cert_pem: the leaf alone.
        chain_pem: the intermediates, the one that signed the leaf first; empty when the root signed it.
        key_pem: the private key, PKCS #8, encrypted when a password was given.
    """

    cert_pem: bytes
    chain_pem: bytes
    key_pem: bytes = field(repr=False)

    @property
    def fullchain_pem(self) -> bytes:
        """Leaf, then intermediates."""
        return self.cert_pem + self.chain_pem

    @property
    def certificate(self) -> x509.Certificate:
        """The leaf, parsed."""
        return x509.load_pem_x509_certificate(self.cert_pem)

    @property
    def der(self) -> bytes:
        """The leaf as ``SSLSocket.getpeercert(True)`` returns it."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def write(self, folder: Path) -> Paths:
        """Write cert.pem, chain.pem, fullchain.pem and privkey.pem (mode 0600) into ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = Paths(
            fullchain=folder / "fullchain.pem",
            cert=folder / "cert.pem",
            chain=folder / "chain.pem",
            key=folder / "privkey.pem",
            pair=self,
        )
        paths.fullchain.write_bytes(self.fullchain_pem)
        paths.cert.write_bytes(self.cert_pem)
        paths.chain.write_bytes(self.chain_pem)
        paths.key.touch(mode=0o600)
        paths.key.write_bytes(self.key_pem)
        return paths


class Authority:
    """A root, and a line of intermediates below it; the last of them signs the leaves.

    Arguments:
        name: the root's common name.
        key: "ecdsa" (P-256) or "rsa" (2048 bits), for root and intermediates.
        intermediates: how many stand between the root and a leaf.
        ends: when they expire, the one below the root first.
        identifiers: False leaves both key identifiers out of all that it makes, as small authorities do.
    """

    def __init__(
        self,
        name: str = "tlsrun test root",
        *,
        key: str = "ecdsa",
        intermediates: int = 0,
        ends: Sequence[datetime.datetime] = (),
        identifiers: bool = True,
    ) -> None:
        self._identifiers = identifiers
        root_key = make_key(key)
        root = _sign(
            x509.Name(_common_name(name)),
            root_key,
            issuer=None,
            issuer_key=root_key,
            extensions=_CA,
            identifiers=identifiers,
        )
        self.line: list[tuple[x509.Certificate, PrivateKey]] = [(root, root_key)]
        for number in range(1, intermediates + 1):
            above, above_key = self.line[-1]
            below_key = make_key(key)
            subject = x509.Name(_common_name(f"{name} intermediate {number}"))
            dates = {"not_after": ends[number - 1]} if ends else {}
            below = _sign(
                subject, below_key, issuer=above, issuer_key=above_key, extensions=_CA, identifiers=identifiers, **dates
            )
            self.line.append((below, below_key))

    def sister(self, name: str) -> Authority:
        """An authority below the same root, with one intermediate, ``name``, of its own."""
        found = Authority(name)
        root, root_key = self.line[0]
        key = make_key("ecdsa")
        below = _sign(x509.Name(_common_name(name)), key, issuer=root, issuer_key=root_key, extensions=_CA)
        found.line = [self.line[0], (below, key)]
        return found

    @property
    def root(self) -> x509.Certificate:
        """What a client trusts."""
        return self.line[0][0]

    @property
    def root_pem(self) -> bytes:
        """The root as PEM."""
        return self.root.public_bytes(PEM)

    @property
    def intermediate_pems(self) -> list[bytes]:
        """The intermediates as PEM, the one that signs leaves first."""
        return [certificate.public_bytes(PEM) for certificate, _ in reversed(self.line[1:])]

    def cross_signed(self, by: Authority, *, ends: datetime.datetime = NOW + 365 * DAY, level: int = 0) -> bytes:
        """The root, or the intermediate ``level``, as another authority signed it."""
        certificate, key = self.line[level]
        issuer, issuer_key = by.line[-1]
        crossed = _sign(certificate.subject, key, issuer=issuer, issuer_key=issuer_key, extensions=_CA, not_after=ends)
        return crossed.public_bytes(PEM)

    def write(self, folder: Path) -> Path:
        """Write the root into ``folder``/ca.pem."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "ca.pem"
        path.write_bytes(self.root_pem)
        return path

    def leaf(
        self,
        names: str | Iterable[str] = ("localhost", "127.0.0.1", "::1"),
        *,
        key: str | PrivateKey = "ecdsa",
        not_before: datetime.datetime = NOW - DAY,
        not_after: datetime.datetime = NOW + 30 * DAY,
        password: bytes | None = None,
        san: bool = True,
        client: bool = False,
        subject: x509.Name | None = None,
    ) -> Pair:
        """Issue a certificate.

        Arguments:
            names: host names, wildcards, addresses, or ``name@host`` for an e-mail SAN; the first is the CN too.
            key: "ecdsa", "rsa", or a key to use again.
            not_before, not_after: its validity, in UTC.
            password: encrypts the key.
            san: False leaves the SAN extension out.
            client: for client authentication instead of server authentication.
            subject: instead of ``CN=<first name>``.
        """
        names = [names] if isinstance(names, str) else list(names)
        private_key = make_key(key) if isinstance(key, str) else key
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_key_usage(digital_signature=True), True),
            (x509.ExtendedKeyUsage([usage]), False),
        ]
        if san:
            extensions.append((x509.SubjectAlternativeName([_general_name(name) for name in names]), False))
        issuer, issuer_key = self.line[-1]
        certificate = _sign(
            subject or x509.Name(_common_name(names[0])),
            private_key,
            issuer=issuer,
            issuer_key=issuer_key,
            extensions=extensions,
            not_before=not_before,
            not_after=not_after,
            identifiers=self._identifiers,
        )
        return Pair(
            cert_pem=certificate.public_bytes(PEM),
            chain_pem=b"".join(self.intermediate_pems),
            key_pem=key_pem(private_key, password),
        )

    def crl(
        self,
        *revoked: int,
        level: int = -1,
        begins: datetime.datetime = NOW - DAY,
        ends: datetime.datetime = NOW + DAY,
        key: PrivateKey | None = None,
        extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
    ) -> bytes:
        """A revocation list, PEM.

        Arguments:
            revoked: serial numbers.
            level: whose it is, counted from the root, which is 0; the last one signs leaves.
            begins, ends: when it holds.
            key: signs it, instead of that authority's own.
            extensions: further ones, each with whether it is critical.
        """
        issuer, own_key = self.line[level]
        above = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject)
        builder = builder.last_update(begins).next_update(ends).add_extension(x509.CRLNumber(1), critical=False)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above)
        builder = builder.add_extension(identifier, critical=False)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        for serial in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW - DAY)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(key or own_key, hashes.SHA256()).public_bytes(PEM)


def make_key(kind: str) -> PrivateKey:
    """A new private key: "ecdsa" (P-256) or "rsa" (2048 bits)."""
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert kind == "ecdsa", kind
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: PrivateKey, password: bytes | None = None) -> bytes:
    """PKCS #8 PEM, encrypted when a password is given."""
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, encryption)


def _common_name(name: str) -> list[x509.NameAttribute[str]]:
    return [x509.NameAttribute(NameOID.COMMON_NAME, name)]


def _general_name(name: str) -> x509.GeneralName:
    if "@" in name:
        return x509.RFC822Name(name)
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(**used: bool) -> x509.KeyUsage:
    bits = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{bit: used.get(bit, False) for bit in bits})


_CA: list[tuple[x509.ExtensionType, bool]] = [
    (x509.BasicConstraints(ca=True, path_length=None), True),
    (_key_usage(key_cert_sign=True, crl_sign=True), True),
]


def _sign(
    subject: x509.Name,
    key: PrivateKey,
    *,
    issuer: x509.Certificate | None,
    issuer_key: CertificateIssuerPrivateKeyTypes,
    extensions: list[tuple[x509.ExtensionType, bool]],
    not_before: datetime.datetime = NOW - 30 * DAY,
    not_after: datetime.datetime = NOW + 365 * DAY,
    identifiers: bool = True,
) -> x509.Certificate:
    """One certificate; ``issuer`` None makes it self-signed. Both key identifiers, which strict verifiers want."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    if identifiers:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    if issuer is not None and identifiers:
        above = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above)
        builder = builder.add_extension(identifier, critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer_key, hashes.SHA256())

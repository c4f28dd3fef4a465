"""An identity: a certificate, its chain and its key, read and verified to belong together."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tlsrun.certificates import checks
from tlsrun.certificates.chain import GivenCertificate, build_chain, find_leaf, is_ca
from tlsrun.certificates.describe import fingerprint, serial
from tlsrun.certificates.findings import Findings
from tlsrun.certificates.keys import ReadKey, certificate_key_type, certificate_spki, key_pin, read_key
from tlsrun.certificates.material import Material, read_certificates, read_material
from tlsrun.certificates.names import alternative_names, covers, shown_name
from tlsrun.certificates.roots import known_root
from tlsrun.certificates.sources import IdentitySources, Source
from tlsrun.certificates.strength import sound
from tlsrun.certificates.validity import refusal
from tlsrun.errors import CertificateError, Problem

__all__ = ["Identity", "IdentitySources", "Source", "encrypted_key", "load_identity", "validity_problem"]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A certificate with its key, ready to serve.

    Arguments:
        certificate: the leaf.
        chain: the intermediates, in order, without the root.
        key: the private key in unencrypted PKCS #8 PEM.
        warnings: what was corrected or looks odd.
    """

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    key: bytes = field(repr=False)
    warnings: tuple[Problem, ...] = field(default=(), repr=False, compare=False)

    @property
    def fullchain(self) -> bytes:
        """Leaf and intermediates as PEM, in the order that TLS sends them (RFC 8446, section 4.4.2)."""
        return b"".join(one.public_bytes(Encoding.PEM) for one in (self.certificate, *self.chain))

    @property
    def names(self) -> tuple[str, ...]:
        """The DNS names and IP addresses in the certificate's SAN."""
        return alternative_names(self.certificate)

    @property
    def not_before(self) -> datetime.datetime:
        """The start of the certificate's validity, in UTC."""
        return self.certificate.not_valid_before_utc

    @property
    def not_after(self) -> datetime.datetime:
        """The end of the certificate's validity, in UTC."""
        return self.certificate.not_valid_after_utc

    @property
    def serial(self) -> str:
        """The serial number as browsers show it: ``04:AB:…``."""
        return serial(self.certificate)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate as ``openssl x509 -fingerprint -sha256`` prints it: ``9F:86:…``."""
        return fingerprint(self.certificate)

    @property
    def key_type(self) -> str:
        """``ECDSA P-256``, ``RSA 2048``, ``Ed25519``."""
        return certificate_key_type(self.certificate)

    def covers(self, host: str) -> bool:
        """Whether the certificate is valid for ``host``, a DNS name or an IP address (RFC 9525, section 6)."""
        return covers(self.certificate, host)


def load_identity(sources: IdentitySources, *, now: datetime.datetime | None = None) -> Identity:
    """Read an identity, put its chain in order and check it, but for its dates: see `validity_problem`.

    Arguments:
        now: timezone-aware; issuers that have expired by then are left out. None for the current time.

    Raises:
        CertificateError: with every problem found.
    """
    findings = Findings()
    given, key = _read(sources, findings)
    if findings.errors or key is None:
        raise CertificateError(findings.errors)
    now = now or datetime.datetime.now(datetime.timezone.utc)
    leaf = find_leaf(given, key.fits, now)
    if leaf is None or not key.same_kind(leaf.certificate):
        raise _mismatch(sources, given, key)
    chain = build_chain(leaf, given, known_root=known_root, now=now)
    identity = Identity(certificate=chain.leaf, chain=chain.issuers, key=key.pem(chain.leaf))
    sound(identity.certificate, identity.chain, leaf.source)
    checks.prove(identity.fullchain + identity.key, chain.leaf, leaf.source)
    warnings = (*findings.warnings, *chain.warnings, *checks.oddities(chain.leaf, leaf.source))
    return replace(identity, warnings=warnings)


def load_renewed(sources: IdentitySources) -> Identity:
    """As `load_identity`, for a renewal: a password that no longer opens the key is read again from where it came.

    Raises:
        CertificateError: with every problem found.
    """
    try:
        return load_identity(sources)
    except CertificateError as error:
        place = sources.password_from
        if place is None or not any(one.code in ("TLS112", "TLS113") for one in error.problems):
            raise
        password = place.read()
        if password == sources.password:
            raise
    return load_identity(replace(sources, password=password))


def encrypted_key(sources: IdentitySources) -> bool:
    """Whether the key, or a PKCS #12 bundle, needs a password and none was given; also False if it cannot be read."""
    if sources.password:
        return False
    try:
        material = read_material(sources.key or sources.cert)
        for source in sources.places:
            read_material(source)
    except CertificateError as error:
        return any(problem.code == "TLS112" for problem in error.problems)
    return any(block.is_encrypted for block in material.pem.keys)


def validity_problem(
    identity: Identity,
    now: datetime.datetime,
    source: Source,
    *,
    known_root: Callable[[x509.Certificate], bool] = known_root,
) -> Problem | None:
    """Why clients refuse ``identity`` at ``now``; None if they do not. See `tlsrun.certificates.validity.refusal`."""
    return refusal(identity.certificate, identity.chain, now, source, known_root=known_root)


def _read(sources: IdentitySources, findings: Findings) -> tuple[list[GivenCertificate], ReadKey | None]:
    """Read everything that can be read; all problems go to ``findings``."""
    read = {source: _material(source, sources.password, findings) for source in sources.places}
    cert = read[sources.cert]
    holder = cert if sources.key is None else read[sources.key]
    places = [read[source] for source in dict.fromkeys((sources.cert, *sources.chain))]
    if cert is not None and holder is not None and _swapped(cert, holder):
        findings.errors.append(_swap_problem(cert.source, holder.source))
        return [], None
    given = [one for place in places if place is not None for one in _certificates(place, findings)]
    opened = any(one is not None and one.opened for one in read.values())
    key = None if holder is None else findings.attempt(lambda: _key(sources, holder, findings, opened=opened))
    return given, key


def _material(source: Source, password: bytes | None, findings: Findings) -> Material | None:
    return findings.attempt(lambda: read_material(source, password))


def _certificates(place: Material, findings: Findings) -> list[GivenCertificate]:
    return findings.attempt(lambda: read_certificates(place, findings)) or []


def _key(sources: IdentitySources, holder: Material, findings: Findings, *, opened: bool) -> ReadKey:
    if sources.key is None and holder.pem.certificates and not holder.pem.keys:
        raise CertificateError([_no_key_given(holder.source)])
    # A password that opened a bundle was needed, whether or not the key itself is encrypted.
    needed = not opened or any(block.is_encrypted for block in holder.pem.keys)
    return read_key(holder.source, holder.data, holder.pem, sources.password if needed else None, findings)


def _swapped(cert: Material, key: Material) -> bool:
    holds_key = bool(cert.pem.keys) and not cert.pem.certificates
    return holds_key and bool(key.pem.certificates) and not key.pem.keys


def _swap_problem(cert: Source, key: Source) -> Problem:
    return Problem(
        where=f"{cert.given_by} and {key.given_by}",
        what=f"the two are swapped: {cert.name} holds a private key, and {key.name} a certificate",
        remedy="Name them the other way round",
        code="TLS117",
    )


def _no_key_given(source: Source) -> Problem:
    return source.problem(
        what=f"{source.name} holds a certificate and no private key, and no key was given",
        remedy="Name the private key that the certificate was made with: TLS_KEY (--key)",
        code="TLS116",
    )


def _mismatch(sources: IdentitySources, given: list[GivenCertificate], key: ReadKey) -> CertificateError:
    cert, holder = sources.cert, sources.key or sources.cert
    shown = next((one for one in given if not is_ca(one.certificate)), given[0]).certificate
    where = cert.given_by if holder is cert else f"{cert.given_by} and {holder.given_by}"
    what = (
        f"the private key in {holder.name} does not match the certificate in {cert.name}: "
        f"the public key of the certificate {shown_name(shown.subject)} is {certificate_key_type(shown)} "
        f"({key_pin(certificate_spki(shown))}), that of the key is {key.kind} ({key_pin(key.spki)})"
    )
    remedy = (
        "Name the key that the certificate was made with; these two print the same for a pair: "
        f"openssl x509 -in {cert.argument} -noout -pubkey, and openssl pkey -in {holder.argument} -pubout"
    )
    return CertificateError([Problem(where=where, what=what, remedy=remedy, code="TLS111")])

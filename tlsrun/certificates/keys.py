"""Reads and decrypts private keys, and names their types."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from dataclasses import dataclass, field
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from tlsrun.certificates import algorithms
from tlsrun.certificates.findings import Findings
from tlsrun.certificates.passwords import WAYS
from tlsrun.certificates.pem import Block, Pem
from tlsrun.certificates.recognise import refuse
from tlsrun.certificates.sources import Source

#: Keys that TLS servers use, and that the cryptography library can sign with.
PrivateKey: TypeAlias = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
)

_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}

#: In bits (RFC 9325, section 4.5); OpenSSL's security level 2 refuses shorter keys.
_SHORTEST_RSA = 2048
_NEW_KEY = (
    "Make a new key (openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out privkey.pem) "
    "and have a certificate issued for it"
)


@dataclass(frozen=True, kw_only=True)
class ReadKey:
    """A private key as it was read.

    Arguments:
        kind: its type, as people write it.
        key: the parsed key; None for a kind that is only passed on to OpenSSL.
        stored: the PKCS #8 DER in the file; None if that was encrypted, or in an older format.
    """

    kind: str
    key: PrivateKey | None = field(default=None, repr=False)
    stored: bytes | None = field(default=None, repr=False)

    @property
    def spki(self) -> bytes:
        """The public key in DER, for comparison; empty for a kind that is only passed on to OpenSSL."""
        return b"" if self.key is None else key_spki(self.key)

    def fits(self, certificate: x509.Certificate) -> bool:
        """Whether it can be the key of a certificate."""
        if self.key is None:
            return algorithms.name_of(algorithms.public_algorithm(certificate)) == self.kind
        return certificate_spki(certificate) == self.spki

    def same_kind(self, certificate: x509.Certificate) -> bool:
        """Whether both are for the same algorithm; assumed for a key that was encrypted, as its own is not known."""
        if self.stored is None:
            return True
        own = algorithms.name_of(algorithms.private_algorithm(self.stored))
        return own == algorithms.name_of(algorithms.public_algorithm(certificate))

    def pem(self, certificate: x509.Certificate) -> bytes:
        """Unencrypted PKCS #8 PEM, with the algorithm that the file and the certificate state."""
        algorithm = algorithms.public_algorithm(certificate)
        if self.key is not None and algorithms.name_of(algorithm) is None:
            return key_pem(self.key)
        if self.stored is not None:
            return _pem_of(self.stored)
        # The library has read an RSASSA-PSS key as plain RSA; put its algorithm back.
        written = b"" if self.key is None else self.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return _pem_of(algorithms.under(written, algorithm))


def _pem_of(pkcs8: bytes) -> bytes:
    return Block(label="PRIVATE KEY", body=base64.b64encode(pkcs8)).pem


def key_type(key: object) -> str:
    """The type of a public or private key as people write it: ``ECDSA P-256``, ``RSA 2048``, ``Ed25519``."""
    if isinstance(key, (rsa.RSAPublicKey, rsa.RSAPrivateKey)):
        return f"RSA {key.key_size}"
    if isinstance(key, (ec.EllipticCurvePublicKey, ec.EllipticCurvePrivateKey)):
        return f"ECDSA {_CURVES.get(key.curve.name, key.curve.name)}"
    if isinstance(key, (ed25519.Ed25519PublicKey, ed25519.Ed25519PrivateKey)):
        return "Ed25519"
    if isinstance(key, (ed448.Ed448PublicKey, ed448.Ed448PrivateKey)):
        return "Ed448"
    if isinstance(key, (dsa.DSAPublicKey, dsa.DSAPrivateKey)):
        return "DSA"
    return type(key).__name__.removesuffix("PublicKey").removesuffix("PrivateKey")


def certificate_key_type(certificate: x509.Certificate) -> str:
    """The type of a certificate's key; ``unknown`` if the library cannot tell."""
    try:
        name = algorithms.name_of(algorithms.public_algorithm(certificate))
        if name is not None and name != algorithms.RSASSA_PSS:
            return name
        kind = key_type(certificate.public_key())
    except (ValueError, IndexError, UnsupportedAlgorithm):
        return "unknown"
    return kind if name is None else kind.replace("RSA", name)


def certificate_spki(certificate: x509.Certificate) -> bytes:
    """The public key of a certificate in DER, for comparison; empty if the library cannot read it."""
    try:
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        return b""


def key_spki(key: PrivateKey) -> bytes:
    """The public key of a private key in DER, for comparison."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_pin(spki: bytes) -> str:
    """A short fingerprint of a public key, to tell two apart by eye."""
    return "sha256 " + hashlib.sha256(spki).hexdigest()[:16]


def key_pem(key: PrivateKey) -> bytes:
    """A private key as unencrypted PKCS #8 PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def read_key(source: Source, data: bytes, pem: Pem, password: bytes | None, findings: Findings) -> ReadKey:
    """The one private key in ``data``, decrypted.

    Arguments:
        source: where ``data`` was read from; ``pem`` was parsed from it.
        password: of the key; None or empty without one.
        findings: gets the warning that a password was not needed.

    Raises:
        CertificateError: with one problem.
    """
    block = _only_key(source, data, pem)
    if block.is_encrypted and not password:
        raise source.error(
            f"the private key in {source.name} is encrypted, and no password was given",
            f"Give the password: {WAYS}",
            "TLS112",
        )
    if password and not block.is_encrypted:
        findings.warnings.append(
            source.problem(
                what=f"a password was given, but the private key in {source.name} is not encrypted",
                remedy="Leave the password out, or encrypt the key: "
                f"openssl pkey -in {source.argument} -aes256 -out encrypted.pem",
                code="TLS114",
            )
        )
    stored = _pkcs8(block)
    name = None if stored is None else algorithms.name_of(algorithms.private_algorithm(stored))
    key: object = None
    if name in (None, algorithms.RSASSA_PSS):
        key = _decrypt(source, block, password if block.is_encrypted else None)
        if stored is None and (stored := _of_openssl_alone(key)) is not None:
            name = algorithms.name_of(algorithms.private_algorithm(stored))
    if name is not None and name != algorithms.RSASSA_PSS:
        return _for_openssl(source, name, stored)
    usable = _usable(source, key)
    kind = key_type(usable) if name is None else key_type(usable).replace("RSA", name)
    return ReadKey(kind=kind, key=usable, stored=stored)


def _pkcs8(block: Block) -> bytes | None:
    """The DER of a key in the file; None if it is encrypted, damaged, or in an older format."""
    if block.label != "PRIVATE KEY":
        return None
    with contextlib.suppress(ValueError):
        return block.der
    return None


def _of_openssl_alone(key: object) -> bytes | None:
    """PKCS #8 DER of a decrypted key of a kind that is only passed on to OpenSSL; None for other kinds."""
    if type(key).__name__.startswith(("MLDSA", "SLHDSA")) and hasattr(key, "private_bytes"):
        written: bytes = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return written
    return None


def _for_openssl(source: Source, name: str, stored: bytes | None) -> ReadKey:
    if not name.startswith("ML-DSA"):
        what = f"the private key in {source.name} is {name}, which TLS has no use for"
        raise source.error(what, _NEW_KEY, "TLS119")
    return ReadKey(kind=name, stored=stored)


def _only_key(source: Source, data: bytes, pem: Pem) -> Block:
    keys = pem.keys
    if not keys or keys[0].label == "OPENSSH PRIVATE KEY":
        refuse(source, data, pem, "private key")
    if len(keys) > 1:
        raise source.error(
            f"{source.name} holds {len(keys)} private keys ({', '.join(key.label for key in keys)})",
            "Keep only the key of the certificate in it",
            "TLS110",
        )
    return keys[0]


def _decrypt(source: Source, block: Block, password: bytes | None) -> object:
    try:
        return load_pem_private_key(block.pem, password)
    except UnsupportedAlgorithm as error:
        raise source.error(
            f"the private key in {source.name} cannot be read: unknown kind or encryption ({error})",
            f"Write it anew: openssl pkey -in {source.argument} -aes256 -out privkey.pem; "
            f"if that fails too: {_NEW_KEY}",
            "TLS119",
        ) from None
    except (ValueError, TypeError):
        # The library's message is left out, as it may quote from the file.
        if password:
            raise source.error(
                f"the password does not open the private key in {source.name}",
                f"Give the right one ({WAYS}); this asks for it and tries it: "
                f"openssl pkey -in {source.argument} -noout; if it opens it, the key is of a kind that is read here "
                "unencrypted only (ML-DSA as OpenSSL writes it)",
                "TLS113",
            ) from None
        raise source.error(
            f"the private key in {source.name} is damaged",
            f"Copy it again, whole; this should say `Key is valid`: openssl pkey -in {source.argument} -noout -check",
            "TLS118",
        ) from None


def _usable(source: Source, key: object) -> PrivateKey:
    what = f"the private key in {source.name} is {key_type(key)}"
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < _SHORTEST_RSA:
            raise source.error(f"{what}, which is too short (at least {_SHORTEST_RSA} bits)", _NEW_KEY, "TLS120")
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return key
    if isinstance(key, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)):
        return key
    raise source.error(f"{what}, which TLS clients do not accept (ECDSA P-256 and RSA they do)", _NEW_KEY, "TLS119")

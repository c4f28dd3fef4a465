"""Whether signatures and keys are strong enough. Checked here, as what one OpenSSL refuses another one accepts.

OpenSSL 3.0 refuses SHA-1 and RIPEMD-160, and SHA-3, which it does not know in signatures; 3.5 and later accept all of
them, and no browser does. These checks, and their messages, are the same with every version.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import SignatureAlgorithmOID

from tlsrun.certificates import algorithms
from tlsrun.certificates.chain import is_signed_by
from tlsrun.certificates.keys import certificate_key_type
from tlsrun.certificates.names import shown_name
from tlsrun.certificates.sources import Source
from tlsrun.errors import CertificateError, Problem

#: In bits: RFC 9325, section 4.5, and OpenSSL's security level 2 (SSL_CTX_set_security_level(3)), 112 bits of security.
_SHORTEST_RSA = _SHORTEST_DSA = 2048
_SHORTEST_CURVE = 224

_BROKEN = (hashes.SHA1, hashes.MD5)
#: RSA with a hash that the library does not know (RFC 8017, appendix A.2.4).
_BROKEN_TOO = {"1.2.840.113549.1.1.2": "MD2", "1.2.840.113549.1.1.3": "MD4"}
#: RSA with RIPEMD-160, by TeleTrusT's identifier.
_RIPEMD_160 = "1.3.36.3.3.1.2"
_SHA_2 = (hashes.SHA224, hashes.SHA256, hashes.SHA384, hashes.SHA512)
_NO_HASH = {SignatureAlgorithmOID.ED25519.dotted_string, SignatureAlgorithmOID.ED448.dotted_string}


def weak_signature(certificate: x509.Certificate) -> str | None:
    """The broken hash that a certificate is signed with; None if it is not broken. Of no interest for a root."""
    algorithm = _hash(certificate)
    if algorithm is None:
        return _BROKEN_TOO.get(certificate.signature_algorithm_oid.dotted_string)
    return algorithm.name.upper() if isinstance(algorithm, _BROKEN) else None


def unknown_signature(certificate: x509.Certificate) -> str | None:
    """The signature algorithm of a certificate, if TLS has no code for it (RFC 8446, section 4.2.3); else None."""
    number = certificate.signature_algorithm_oid.dotted_string
    algorithm = _hash(certificate)
    if weak_signature(certificate) or isinstance(algorithm, _SHA_2):
        return None
    if algorithm is not None:
        return algorithm.name.upper()
    if number in _NO_HASH or number in algorithms.NAMES:
        return None
    return "RIPEMD-160" if number == _RIPEMD_160 else f"the algorithm {number}"


def is_weak_key(certificate: x509.Certificate) -> bool:
    """Whether a certificate's key is shorter than RFC 9325, section 4.5, requires."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return False
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size < _SHORTEST_RSA
    if isinstance(key, dsa.DSAPublicKey):
        return key.key_size < _SHORTEST_DSA
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size < _SHORTEST_CURVE


def sound(certificate: x509.Certificate, issuers: Sequence[x509.Certificate], source: Source) -> None:
    """Refuse signatures that can be forged or that clients do not know, and keys that are too short.

    Raises:
        CertificateError: the certificate has one, or an issuer that is sent with it.
    """
    problems = [problem for one in (certificate, *issuers) for problem in _weaknesses(one, source)]
    if problems:
        raise CertificateError(problems)


def _weaknesses(certificate: x509.Certificate, source: Source) -> Iterator[Problem]:
    name = f"{shown_name(certificate.subject)} in {source.name}"
    if is_weak_key(certificate):
        yield source.problem(
            what=f"{name} is refused: its key is too short ({certificate_key_type(certificate)})",
            remedy="Have it issued anew, for a current key (ECDSA P-256 or RSA 2048)",
            code="TLS120",
        )
    # A root is trusted or not, whatever its signature.
    if is_signed_by(certificate, certificate):
        return
    if weak := weak_signature(certificate):
        yield source.problem(
            what=f"{name} is refused: it is signed with a hash that is broken (SHA-1 or MD5): {weak}",
            remedy="Have it issued anew; every CA signs with SHA-256 today",
            code="TLS121",
        )
    if unknown := unknown_signature(certificate):
        yield source.problem(
            what=f"{name} is refused: it is signed with {unknown}, which clients do not know in certificates",
            remedy="Have it issued anew; every CA signs with SHA-256 today",
            code="TLS165",
        )


def _hash(certificate: x509.Certificate) -> hashes.HashAlgorithm | None:
    """The hash in the signature; None if there is none, or one that the library does not know."""
    try:
        return certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None

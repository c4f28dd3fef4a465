"""Whether signatures and keys are strong enough, by our own look: what one OpenSSL refuses, another one takes.

3.0 refuses SHA-1 and RIPEMD-160, and SHA-3, which it does not know in signatures; 3.5 and later take all of them, and
no browser does. What is asked here is the same on each, in the same words.
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

#: RFC 9325, section 4.5, and OpenSSL's security level 2 (SSL_CTX_set_security_level(3)): 112 bits.
_SHORTEST_RSA = _SHORTEST_DSA = 2048
_SHORTEST_CURVE = 224

_BROKEN = (hashes.SHA1, hashes.MD5)
#: Of RSA with a hash that the library does not know (RFC 8017, appendix A.2.4).
_BROKEN_TOO = {"1.2.840.113549.1.1.2": "MD2", "1.2.840.113549.1.1.3": "MD4"}
#: TeleTrusT's.
_RIPEMD_160 = "1.3.36.3.3.1.2"
_SHA_2 = (hashes.SHA224, hashes.SHA256, hashes.SHA384, hashes.SHA512)
_NO_HASH = {SignatureAlgorithmOID.ED25519.dotted_string, SignatureAlgorithmOID.ED448.dotted_string}


def weak_signature(certificate: x509.Certificate) -> str | None:
    """The broken hash that a certificate is signed with; None when it is sound. A root's own does not count."""
    algorithm = _hash(certificate)
    if algorithm is None:
        return _BROKEN_TOO.get(certificate.signature_algorithm_oid.dotted_string)
    return algorithm.name.upper() if isinstance(algorithm, _BROKEN) else None


def unknown_signature(certificate: x509.Certificate) -> str | None:
    """What a certificate is signed with that TLS has no name for (RFC 8446, section 4.2.3); None when it has one."""
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
    """Whether the key that a certificate is for is shorter than RFC 9325, section 4.5, has it."""
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
    """Refuse signatures that others can forge, or that clients do not know, and keys that are too short.

    Raises:
        CertificateError: the certificate has one, or one that is sent with it.
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
    # What signs itself is trusted or not, whatever the signature.
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
    """What the library knows; None where there is none, or another one."""
    try:
        return certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None

"""The algorithm of a key as its encoding states it, since the cryptography library reads some kinds as others.

A private key (PKCS #8, RFC 5208, section 5) and a public key (RFC 5280, section 4.1) state their algorithm as an object
identifier with parameters. The library writes a key that is restricted to RSASSA-PSS as one for plain RSA, and OpenSSL
then finds that it does not match the certificate.
"""

from __future__ import annotations

from cryptography import x509

from tlsrun.certificates.asn1 import content_of, dotted

RSASSA_PSS = "RSASSA-PSS"

#: Object identifier -> kind of key, where the library's own type does not tell it (RFC 4055; FIPS 204, 205).
NAMES = {
    "1.2.840.113549.1.1.10": RSASSA_PSS,
    "2.16.840.1.101.3.4.3.17": "ML-DSA-44",
    "2.16.840.1.101.3.4.3.18": "ML-DSA-65",
    "2.16.840.1.101.3.4.3.19": "ML-DSA-87",
    **{f"2.16.840.1.101.3.4.3.{number}": "SLH-DSA" for number in range(20, 32)},
}

_SEQUENCE, _EXPLICIT_VERSION = b"\x30", 0xA0


def private_algorithm(pkcs8: bytes) -> bytes | None:
    """The AlgorithmIdentifier of a private key, in DER; None if it is not PKCS #8."""
    try:
        _, algorithm, *_ = content_of(pkcs8)
        dotted(content_of(algorithm.whole)[0].content)
    except (ValueError, IndexError):
        return None
    return algorithm.whole


def public_algorithm(certificate: x509.Certificate) -> bytes:
    """The AlgorithmIdentifier of a certificate's public key, in DER."""
    fields = content_of(certificate.tbs_certificate_bytes)
    if fields[0].tag == _EXPLICIT_VERSION:
        del fields[0]
    # serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo
    return content_of(fields[5].whole)[0].whole


def name_of(algorithm: bytes | None) -> str | None:
    """The kind of key, if it is one of `NAMES`; otherwise None."""
    return None if algorithm is None else NAMES.get(dotted(content_of(algorithm)[0].content))


def under(pkcs8: bytes, algorithm: bytes) -> bytes:
    """The same private key with another AlgorithmIdentifier.

    Arguments:
        pkcs8: PKCS #8 in DER.
        algorithm: as `public_algorithm` returns it.
    """
    version, _, *others = content_of(pkcs8)
    content = version.whole + algorithm + b"".join(one.whole for one in others)
    size = len(content)
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    length = bytes([size]) if size < 0x80 else bytes([0x80 | len(octets)]) + octets
    return _SEQUENCE + length + content

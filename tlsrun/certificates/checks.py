"""What clients and OpenSSL object to in a certificate, found before they see it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from tlsrun.certificates.chain import is_ca
from tlsrun.certificates.keys import certificate_key_type
from tlsrun.certificates.names import alternative_names, extension, shown_name
from tlsrun.certificates.sources import Source
from tlsrun.errors import CertificateError, Problem
from tlsrun.files import in_memory_file

_REASONS = {
    "EE_KEY_TOO_SMALL": "its key is too short",
    "CA_KEY_TOO_SMALL": "an issuer's key is too short",
    "KEY_VALUES_MISMATCH": "the private key is not the certificate's",
    # Most weak signatures are refused earlier, with a message of their own: see `tlsrun.certificates.strength`.
    "CA_MD_TOO_WEAK": f"a signature on it or on an issuer is too weak for {ssl.OPENSSL_VERSION}, or not known to it",
}

_CODES = {"EE_KEY_TOO_SMALL": "TLS120", "CA_KEY_TOO_SMALL": "TLS120"}

_SERVES = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}


def oddities(certificate: x509.Certificate, source: Source) -> Iterator[Problem]:
    """Warnings about a leaf that OpenSSL loads, but that clients may refuse."""
    name = f"the certificate {shown_name(certificate.subject)} in {source.name}"
    if is_ca(certificate):
        yield source.problem(
            what=f"{name} is a CA certificate (CA:TRUE), which some clients refuse from a server",
            remedy="Have one issued that is not; "
            "with openssl req -x509, add: -addext basicConstraints=critical,CA:FALSE",
            code="TLS146",
        )
    if not alternative_names(certificate):
        yield source.problem(
            what=f"{name} has no subjectAltName, and clients look at nothing else: they will refuse it",
            remedy="Have one issued that has; with openssl req, add: -addext subjectAltName=DNS:example.org",
            code="TLS144",
        )
    usage = extension(certificate, x509.ExtendedKeyUsage)
    if usage is not None and not _SERVES & set(usage):
        yield source.problem(
            what=f"{name} is not for servers (its extendedKeyUsage lacks serverAuth): clients will refuse it",
            remedy="Have one issued for server authentication",
            code="TLS148",
        )
    if must_staple(certificate):
        yield source.problem(
            what=f"{name} has OCSP must-staple (RFC 7633), and no server here staples: Firefox refuses it",
            remedy="Have one issued without (certbot: without --must-staple)",
            code="TLS123",
        )


def must_staple(certificate: x509.Certificate) -> bool:
    """Whether clients are to refuse it without an OCSP response in the handshake (RFC 7633, section 4.2.3.1)."""
    features = extension(certificate, x509.TLSFeature)
    return features is not None and x509.TLSFeatureType.status_request in features


def prove(pem: bytes, certificate: x509.Certificate, source: Source) -> None:
    """Let OpenSSL load certificate, chain and key, as a server will.

    Arguments:
        pem: all three, as PEM.

    Raises:
        CertificateError: OpenSSL refuses them.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        with in_memory_file(pem) as path:
            context.load_cert_chain(path)
    except ssl.SSLError as error:
        raise CertificateError([_refused(error, certificate, source)]) from error


def _refused(error: ssl.SSLError, certificate: x509.Certificate, source: Source) -> Problem:
    kind, name = certificate_key_type(certificate), shown_name(certificate.subject)
    if kind.startswith("ML-DSA") and ssl.OPENSSL_VERSION_INFO < (3, 5):
        return source.problem(
            what=f"the key of {name} in {source.name} is {kind}, which OpenSSL knows from 3.5 on; Python's ssl here "
            f"has {ssl.OPENSSL_VERSION}",
            remedy="Use a Python with a newer OpenSSL, or have a certificate issued for an ECDSA P-256 key",
            code="TLS125",
        )
    return source.problem(
        what=f"OpenSSL does not serve {name} in {source.name} ({kind}): "
        + _REASONS.get(error.reason or "", error.reason or "no reason given"),
        remedy="Have one issued with a current key and signature (ECDSA P-256 or RSA 2048, SHA-256)",
        code=_CODES.get(error.reason or "", "TLS122"),
    )

"""Parses certificates completely, so that reading their fields later raises no errors."""

from __future__ import annotations

from cryptography import x509


def parse_certificate(der: bytes) -> x509.Certificate:
    """The certificate in ``der``.

    The library parses names and dates only when they are accessed, so they are accessed here.

    Raises:
        ValueError: it is damaged, or of a version that does not exist.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        _ = (certificate.subject, certificate.issuer)
        _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    except (x509.InvalidVersion, KeyError) as error:  # KeyError: before cryptography 43
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return certificate

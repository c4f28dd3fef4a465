"""Warns about CAs whose clients fail strict verification, which is Python's default since 3.13.

OpenSSL calls it X509_V_FLAG_X509_STRICT: a certificate has to name the key that signed it (authorityKeyIdentifier),
and a CA its own (subjectKeyIdentifier), as RFC 5280, sections 4.2.1.1 and 4.2.1.2, requires. tlsrun's servers do not
insist on that; other programs that verify the same clients may.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from cryptography import x509

from tlsrun.certificates.chain import is_signed_by
from tlsrun.certificates.names import extension, shown_name
from tlsrun.certificates.parsing import parse_certificate
from tlsrun.certificates.pem import parse_pem
from tlsrun.certificates.sources import Source
from tlsrun.errors import Problem


def refused_strictly(ca: bytes, source: Source) -> Iterator[Problem]:
    """One problem for each CA that lacks a key identifier.

    Arguments:
        ca: the CA certificates, as PEM.
        source: where they were read from.
    """
    for block in parse_pem(ca).certificates:
        with contextlib.suppress(ValueError):
            certificate = parse_certificate(block.der)
            if missing := _missing(certificate):
                yield source.problem(
                    what=f"the authority {shown_name(certificate.subject)} in {source.name} has no {missing}: "
                    "this server lets its clients in, and who verifies strictly refuses them (Python 3.13 by default)",
                    remedy="Have it issued anew with both key identifiers, and certificates for its clients by it; "
                    "with openssl: -addext subjectKeyIdentifier=hash, and authorityKeyIdentifier=keyid for clients",
                    code="TLS139",
                )


def _missing(certificate: x509.Certificate) -> str | None:
    if extension(certificate, x509.SubjectKeyIdentifier) is None:
        return "subjectKeyIdentifier, which its clients' authorityKeyIdentifier would name"
    if not is_signed_by(certificate, certificate) and extension(certificate, x509.AuthorityKeyIdentifier) is None:
        return "authorityKeyIdentifier"
    return None

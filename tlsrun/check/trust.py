"""The roots that count as known: this machine's, its development CAs', and those that the user names."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from tlsrun.certificates.caroot import ROOT_NAME, caroots
from tlsrun.certificates.chain import is_signed_by
from tlsrun.certificates.findings import Findings
from tlsrun.certificates.material import read_certificates, read_material
from tlsrun.certificates.roots import known_root
from tlsrun.certificates.sources import Source
from tlsrun.errors import CertificateError


@dataclass(frozen=True, kw_only=True)
class Trust:
    """The known roots.

    Arguments:
        ca: a file that the user named in place of the system's roots; None for the system's.
        named: the certificates in it.
        development: the roots of development CAs on this machine.
    """

    ca: Path | None = None
    named: tuple[x509.Certificate, ...] = ()
    development: tuple[x509.Certificate, ...] = ()

    def signed(self, certificate: x509.Certificate) -> bool:
        """Whether a known root signed ``certificate``."""
        return self.is_private((certificate,)) or known_root(certificate)

    def is_private(self, chain: Sequence[x509.Certificate]) -> bool:
        """Whether a private root, one that the user named or a development CA, signed a certificate of ``chain``."""
        return any(is_signed_by(one, root) for one in chain for root in (*self.named, *self.development))


def read_trust(ca: Path | None) -> Trust:
    """Read the roots.

    Arguments:
        ca: a file to use in place of the system's roots.

    Raises:
        CertificateError: it cannot be read, or holds no certificate.
    """
    named = () if ca is None else _certificates(Source(given_by="--ca", path=ca))
    development: list[x509.Certificate] = []
    for folder in caroots():
        with contextlib.suppress(CertificateError):
            development += _certificates(Source(given_by="the development CA", path=folder / ROOT_NAME))
    return Trust(ca=ca, named=named, development=tuple(dict.fromkeys(development)))


def _certificates(source: Source) -> tuple[x509.Certificate, ...]:
    return tuple(one.certificate for one in read_certificates(read_material(source), Findings()))

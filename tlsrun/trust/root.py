"""The root to be trusted: a CA's certificate without its key, and its names in the stores."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tlsrun.certificates.findings import Findings
from tlsrun.certificates.material import read_certificates, read_material
from tlsrun.certificates.names import shown_name
from tlsrun.certificates.pem import parse_pem
from tlsrun.certificates.sources import Source

#: The organizations in the subjects of our CA and mkcert's.
_MAKERS = ("tlsrun development CA", "mkcert development CA")


@dataclass(frozen=True, kw_only=True)
class Root:
    """A CA's certificate.

    Arguments:
        certificate: the certificate.
        path: its file.
    """

    certificate: x509.Certificate
    path: Path

    @property
    def title(self) -> str:
        """Its name in messages."""
        return shown_name(self.certificate.subject).removeprefix("CN=")

    @property
    def names(self) -> tuple[str, ...]:
        """Its names in stores: first the name for a new entry, then those that mkcert or we may have given.

        As mkcert does, we use the organization and the decimal serial number, so that ``mkcert -install`` and `tlsrun
        trust` recognise, and can remove, each other's entries.
        """
        found = self.certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        own = str(found[0].value) if found else self.title
        return tuple(f"{maker} {self.certificate.serial_number}" for maker in dict.fromkeys((own, *_MAKERS)))

    @property
    def file_name(self) -> str:
        """The first name as a file name without suffix."""
        return re.sub(r"[^A-Za-z0-9._-]", "_", self.names[0])

    @property
    def der(self) -> bytes:
        """The certificate in DER."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The certificate in PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def sha1(self) -> str:
        """The SHA-1 fingerprint in hexadecimal, by which macOS and Windows find it."""
        return self.certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 -- a name, no protection

    def is_in(self, data: bytes) -> bool:
        """Whether ``data``, in PEM or DER, contains this certificate."""
        wanted = self.der
        body = base64.b64encode(wanted)
        return data == wanted or any(block.body == body for block in parse_pem(data).certificates)


def read_root(path: Path) -> Root:
    """Read the root from ``path``.

    Raises:
        CertificateError: it cannot be read, or holds no certificate.
    """
    source = Source(given_by="the development CA", path=path)
    return Root(certificate=read_certificates(read_material(source), Findings())[0].certificate, path=path)

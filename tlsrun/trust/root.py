"""The root to be trusted: a CA's certificate without its key, and the names that stores keep it under."""

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

#: Organizations of the CAs that we and mkcert make.
_MAKERS = ("tlsrun development CA", "mkcert development CA")


@dataclass(frozen=True, kw_only=True)
class Root:
    """A CA's certificate.

    Arguments:
        path: its file; nothing else in that folder is of interest here.
    """

    certificate: x509.Certificate
    path: Path

    @property
    def title(self) -> str:
        """What to call it in a message."""
        return shown_name(self.certificate.subject).removeprefix("CN=")

    @property
    def names(self) -> tuple[str, ...]:
        """What stores may call it: first the name for a new entry, then those that mkcert or we may have given.

        The organization and the serial number in decimal, which is how mkcert names its own: its ``-install`` and our
        `tlsrun trust` see each other's work, and either undoes it.
        """
        found = self.certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        own = str(found[0].value) if found else self.title
        return tuple(f"{maker} {self.certificate.serial_number}" for maker in dict.fromkeys((own, *_MAKERS)))

    @property
    def file_name(self) -> str:
        """The first name as a file without its suffix."""
        return re.sub(r"[^A-Za-z0-9._-]", "_", self.names[0])

    @property
    def der(self) -> bytes:
        """The certificate in DER, to compare."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The certificate in PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def sha1(self) -> str:
        """The thumbprint by which macOS and Windows find it, in hexadecimal digits."""
        return self.certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 -- a name, no protection

    def is_in(self, data: bytes) -> bool:
        """Whether it is one of the certificates in PEM (or the one in DER) in ``data``."""
        wanted = self.der
        body = base64.b64encode(wanted)
        return data == wanted or any(block.body == body for block in parse_pem(data).certificates)


def read_root(path: Path) -> Root:
    """The root in ``path``.

    Raises:
        CertificateError: it cannot be read, or holds no certificate.
    """
    source = Source(given_by="the development CA", path=path)
    return Root(certificate=read_certificates(read_material(source), Findings())[0].certificate, path=path)

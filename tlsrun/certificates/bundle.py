"""Makes one PEM file for other servers: the leaf, then each issuer; and tells what was changed for that."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tlsrun.certificates.chain import GivenCertificate, build_chain, is_ca, is_signed_by
from tlsrun.certificates.findings import Findings
from tlsrun.certificates.material import Material, read_certificates, read_material
from tlsrun.certificates.names import shown_name
from tlsrun.certificates.roots import known_root
from tlsrun.certificates.sources import Source
from tlsrun.errors import CertificateError, Problem


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """The certificates of the file, and how they differ from those given.

    Arguments:
        certificates: the leaf, then the intermediates in order.
        changes: differences from the files as they were given, for people.
        warnings: what the chain lacks.
    """

    certificates: tuple[x509.Certificate, ...]
    changes: tuple[str, ...]
    warnings: tuple[Problem, ...]

    @property
    def pem(self) -> bytes:
        """The content of the file."""
        return b"".join(one.public_bytes(Encoding.PEM) for one in self.certificates)


def make_bundle(sources: Sequence[Source], password: bytes | None = None) -> Bundle:
    """Put the certificates in ``sources`` in order.

    Arguments:
        password: of a PKCS #12 bundle among them.

    Raises:
        CertificateError: a file cannot be read, or there is not exactly one server certificate in them.
    """
    findings = Findings()
    read: list[Material] = []
    given: list[GivenCertificate] = []
    for source in sources:
        try:
            material = read_material(source, password)
            given += read_certificates(material, findings)
        except CertificateError as error:
            findings.errors += error.problems
        else:
            read.append(material)
    if findings.errors:
        raise CertificateError(findings.errors)
    leaf = _leaf(given)
    chain = build_chain(leaf, given, known_root=known_root, now=datetime.datetime.now(datetime.timezone.utc))
    missing = [warning for warning in chain.warnings if warning.code in ("TLS132", "TLS133", "TLS137")]
    written = (chain.leaf, *chain.issuers)
    changes = [*(change for each in read for change in _file_changes(each)), *_chain_changes(given, written)]
    return Bundle(certificates=written, changes=tuple(changes), warnings=tuple(missing))


def _leaf(given: Sequence[GivenCertificate]) -> GivenCertificate:
    """The server's own certificate: the only one that is not a CA, or else the only one that signed no other."""
    unique = list({one.certificate: one for one in reversed(given)}.values())[::-1]
    leaves = [one for one in unique if not is_ca(one.certificate)] or [
        one for one in unique if not any(other is not one and _signed(other, one) for other in unique)
    ]
    if len(leaves) == 1:
        return leaves[0]
    names = ", ".join(shown_name(one.certificate.subject) for one in leaves)
    where = " and ".join(dict.fromkeys(one.source.given_by for one in given))
    what = f"there are several servers' certificates ({names})" if leaves else "there is no server's certificate"
    raise CertificateError([Problem(where=where, what=what, remedy="Give one of them, and its issuers")])


def _signed(certificate: GivenCertificate, issuer: GivenCertificate) -> bool:
    return is_signed_by(certificate.certificate, issuer.certificate)


def _file_changes(material: Material) -> Iterator[str]:
    name = material.source.given_by
    if material.binary is not None:
        yield f"{name} was {material.binary.value}; it is PEM now"
    if material.pem.glued:
        yield f"two certificates stood on one line in {name}; a line break is between them now"
    if material.pem.keys:
        yield f"the private key in {name} is left out"
    blocks = b"".join(block.pem for block in material.pem.blocks)
    if not material.binary and not material.pem.glued and material.data.strip() != blocks.strip():
        yield f"{name} had other line breaks, or text around the certificates; that is left out"


def _chain_changes(given: Sequence[GivenCertificate], written: Sequence[x509.Certificate]) -> Iterator[str]:
    unique = list(dict.fromkeys(one.certificate for one in given))
    if len(given) > len(unique):
        copies = [one.certificate for position, one in enumerate(given) if _is_copy(position, given)]
        yield f"copies are left out ({_show(dict.fromkeys(copies))})"
    left_out = [one for one in unique if one not in written]
    roots = [one for one in left_out if is_signed_by(written[-1], one)]
    if roots:
        yield f"the root is left out ({_show(roots)}): clients must have it themselves"
    strangers = [one for one in left_out if one not in roots]
    if strangers:
        yield f"certificates that signed none of the others are left out ({_show(strangers)})"
    before = [one for one in unique if one in written]
    if before != list(written):
        yield f"the order was {_show(before)}; it is {_show(written)} now"


def _is_copy(position: int, given: Sequence[GivenCertificate]) -> bool:
    return any(one.certificate == given[position].certificate for one in given[:position])


def _show(certificates: Sequence[x509.Certificate] | dict[x509.Certificate, None]) -> str:
    return ", ".join(shown_name(one.subject) for one in certificates)

"""Reads a source: its bytes, the certificates and keys in them as PEM blocks, and the certificates parsed."""

from __future__ import annotations

from dataclasses import dataclass, field

from tlsrun.certificates.binary import convert
from tlsrun.certificates.chain import GivenCertificate
from tlsrun.certificates.findings import Findings
from tlsrun.certificates.parsing import parse_certificate
from tlsrun.certificates.pem import Pem, parse_pem
from tlsrun.certificates.recognise import Form, refuse
from tlsrun.certificates.sources import Source, read_source
from tlsrun.errors import CertificateError, Problem


@dataclass(frozen=True, kw_only=True)
class Material:
    """A source that was read.

    Arguments:
        data: its bytes.
        pem: the blocks in them; of a binary file, those that it was converted to.
        binary: its binary form; None for PEM, and for anything else.
        opened: whether a password was needed to read it (a PKCS #12 bundle).
    """

    source: Source
    data: bytes = field(repr=False)
    pem: Pem
    binary: Form | None = None
    opened: bool = False


def read_material(source: Source, password: bytes | None = None) -> Material:
    """Read ``source``, in PEM, DER or PKCS #12.

    Arguments:
        password: of a PKCS #12 bundle; a key stays encrypted.

    Raises:
        CertificateError: it cannot be read, or needs another password.
    """
    data = read_source(source)
    pem = parse_pem(data)
    converted = None if pem.blocks or pem.unfinished else convert(source, data, password)
    if converted is None:
        return Material(source=source, data=data, pem=pem)
    return Material(source=source, data=data, pem=converted.pem, binary=converted.form, opened=converted.opened)


def read_certificates(material: Material, findings: Findings) -> list[GivenCertificate]:
    """The certificates in ``material``, in file order.

    Arguments:
        findings: gets the warning that two blocks share a line.

    Raises:
        CertificateError: there are none, or some are damaged.
    """
    source = material.source
    if not material.pem.certificates:
        refuse(source, material.data, material.pem, "certificate")
    if material.pem.glued:
        findings.warnings.append(_glued(source))
    problems = []
    if "CERTIFICATE" in material.pem.unfinished:
        problems.append(_broken(source, f"a certificate in {source.name} is cut off: its BEGIN line has no END line"))
    given: list[GivenCertificate] = []
    for number, block in enumerate(material.pem.certificates, start=1):
        try:
            certificate = parse_certificate(block.der)
        except ValueError as error:
            reason = " ".join(str(error).split())
            problems.append(_broken(source, f"certificate number {number} in {source.name} is damaged ({reason})"))
        else:
            given.append(GivenCertificate(certificate=certificate, source=source))
    if problems:
        raise CertificateError(problems)
    return given


def _glued(source: Source) -> Problem:
    return source.problem(
        what=f"in {source.name} a BEGIN line is glued to the END line before it; they are read as two",
        remedy="Put a line break between them; `cat` of a file without one at its end does this",
        code="TLS130",
    )


def _broken(source: Source, what: str) -> Problem:
    return source.problem(what, "Copy it again, whole, from BEGIN to END", "TLS118")

"""Certificates encoded by hand, so that names may hold what no library would write."""

from __future__ import annotations

import datetime
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

UTF8, NUMERIC, PRINTABLE, T61, IA5, UNIVERSAL, BMP, BITS = (
    0x0C, 0x12, 0x13, 0x14, 0x16, 0x1C, 0x1E, 0x03,
)  # fmt: skip

_SEQUENCE, _SET, _INTEGER, _OCTETS, _OID, _UTC, _BOOLEAN = 0x30, 0x31, 0x02, 0x04, 0x06, 0x17, 0x01
_ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2"
_BASIC_CONSTRAINTS, _SUBJECT_ALT_NAME = "2.5.29.19", "2.5.29.17"
_EMAIL, _DNS, _URI = 0x81, 0x82, 0x86


def der(tag: int, *parts: bytes) -> bytes:
    """One value."""
    content = b"".join(parts)
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8 or 1, "big")
    return bytes([tag]) + (length if len(content) < 0x80 else bytes([0x80 + len(length)]) + length) + content


def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER."""
    first, second, *rest = (int(number) for number in dotted.split("."))
    content = b""
    for number in (40 * first + second, *rest):
        octets = [number & 0x7F]
        while number := number >> 7:
            octets.insert(0, 0x80 | number & 0x7F)
        content += bytes(octets)
    return der(_OID, content)


def attribute(kind: str, value: str | bytes, tag: int = UTF8) -> bytes:
    """One AttributeTypeAndValue; text becomes UTF-8."""
    return der(_SEQUENCE, oid(kind), der(tag, value.encode() if isinstance(value, str) else value))


def name(*parts: bytes | tuple[bytes, ...]) -> bytes:
    """A Name; a tuple of attributes is one multi-valued part, in the order given."""
    return der(_SEQUENCE, *(der(_SET, *([part] if isinstance(part, bytes) else part)) for part in parts))


@dataclass(frozen=True, kw_only=True)
class Forged:
    """A certificate in DER and its key."""

    certificate: bytes
    subject: bytes
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    def write(self, folder: Path, stem: str) -> tuple[Path, Path]:
        """Write ``stem``.crt and ``stem``.key."""
        cert, key = folder / f"{stem}.crt", folder / f"{stem}.key"
        cert.write_text(ssl.DER_cert_to_PEM_cert(self.certificate))
        key.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return cert, key


def certificate(
    subject: bytes,
    *,
    issuer: Forged | None = None,
    serial: bytes = b"\x01",
    emails: tuple[bytes, ...] = (),
    dns: tuple[bytes, ...] = (),
    days: float = 30.5,
) -> Forged:
    """A certificate for ``subject``; an authority, signed by itself, without ``issuer``."""
    key = ec.generate_private_key(ec.SECP256R1())
    algorithm = der(_SEQUENCE, oid(_ECDSA_WITH_SHA256))
    now = datetime.datetime.now(datetime.timezone.utc)
    spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    names = [der(_URI, b"http://x/"), *(der(_DNS, one) for one in dns), *(der(_EMAIL, one) for one in emails)]
    extension = (
        _extension(_SUBJECT_ALT_NAME, der(_SEQUENCE, *names))
        if issuer
        else _extension(_BASIC_CONSTRAINTS, der(_SEQUENCE, der(_BOOLEAN, b"\xff")), critical=True)
    )
    body = der(
        _SEQUENCE,
        der(0xA0, der(_INTEGER, b"\x02")),
        der(_INTEGER, serial),
        algorithm,
        issuer.subject if issuer else subject,
        der(_SEQUENCE, _utc(now - datetime.timedelta(days=1)), _utc(now + datetime.timedelta(days=days))),
        subject,
        spki,
        der(0xA3, der(_SEQUENCE, extension)),
    )
    signature = (issuer.key if issuer else key).sign(body, ec.ECDSA(hashes.SHA256()))
    return Forged(certificate=der(_SEQUENCE, body, algorithm, der(BITS, b"\0", signature)), subject=subject, key=key)


def _extension(kind: str, value: bytes, *, critical: bool = False) -> bytes:
    return der(_SEQUENCE, oid(kind), *([der(_BOOLEAN, b"\xff")] if critical else []), der(_OCTETS, value))


def _utc(moment: datetime.datetime) -> bytes:
    return der(_UTC, f"{moment:%y%m%d%H%M%SZ}".encode())

"""Reads the fields for the facts from a certificate in DER: encoded names, serial number, dates, e-mail and DNS names.

Names are spelled from their encoding, as the string types and their order matter (see dn.py). The certificates come
from OpenSSL, which has verified them. Not by cryptography (50.0): it refuses a TeletexString in Latin-1, which OpenSSL
accepts ("Müller", from older authorities), so that the client's name would be missing.
"""

from __future__ import annotations

import datetime
import functools
from dataclasses import dataclass

from tlsrun.certificates.asn1 import Element, content_of, elements

INTEGER, OID, UTC_TIME, GENERALIZED_TIME = 0x02, 0x06, 0x17, 0x18
OCTET_STRING, VERSION, EXTENSIONS, EMAIL, DNS = 0x04, 0xA0, 0xA3, 0x81, 0x82

_SUBJECT_ALT_NAME = bytes.fromhex("551d11")


@dataclass(frozen=True, kw_only=True)
class CertificateFields:
    """The fields of a certificate.

    Arguments:
        serial: the content octets of the serial number, in two's complement.
        issuer: the issuer's name, DER.
        subject: the subject's name, DER.
        not_before: begin of the validity, in UTC.
        not_after: end of the validity, in UTC.
        emails: the rfc822Name entries of the SAN, in order, as encoded.
        dns: the dNSName entries of the SAN, in order, as encoded.
    """

    serial: bytes
    issuer: bytes
    subject: bytes
    not_before: datetime.datetime
    not_after: datetime.datetime
    emails: tuple[bytes, ...] = ()
    dns: tuple[bytes, ...] = ()


@functools.lru_cache(maxsize=128)
def read_certificate(der: bytes) -> CertificateFields:
    """The fields of a certificate (RFC 5280, section 4.1).

    Raises:
        ValueError: it is not a certificate in DER.
    """
    body = next(iter(content_of(der)), None)
    fields = [] if body is None else list(elements(body.content))
    if fields and fields[0].tag == VERSION:
        del fields[0]
    if len(fields) < 6 or fields[0].tag != INTEGER:
        raise ValueError("this is no certificate")
    serial, _, issuer, validity, subject = fields[:5]
    begins, ends = elements(validity.content)
    emails, dns = _alternative_names(next((field for field in fields[6:] if field.tag == EXTENSIONS), None))
    return CertificateFields(
        serial=serial.content,
        issuer=issuer.whole,
        subject=subject.whole,
        not_before=_time(begins),
        not_after=_time(ends),
        emails=emails,
        dns=dns,
    )


def _alternative_names(extensions: Element | None) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """The e-mail addresses and DNS names of the SAN (RFC 5280, section 4.2.1.6)."""
    for extension in content_of(extensions.content) if extensions else ():
        name, *_, value = elements(extension.content)
        if name.content == _SUBJECT_ALT_NAME and value.tag == OCTET_STRING:
            names = content_of(value.content)
            return tuple(n.content for n in names if n.tag == EMAIL), tuple(n.content for n in names if n.tag == DNS)
    return (), ()


def _time(element: Element) -> datetime.datetime:
    """UTCTime or GeneralizedTime (RFC 5280, section 4.1.2.5: to the second, ending in Z)."""
    text = element.content.decode("ascii")
    if element.tag == UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif element.tag != GENERALIZED_TIME:
        raise ValueError("neither UTCTime nor GeneralizedTime")
    if len(text) != 15 or text[14] != "Z" or not text[:14].isdigit():
        raise ValueError(f"not a date of a certificate: {text!r}")
    month, day, hour, minute, second = (int(text[at : at + 2]) for at in range(4, 14, 2))
    return datetime.datetime(int(text[:4]), month, day, hour, minute, second, tzinfo=datetime.timezone.utc)

"""Spells distinguished names as mod_ssl does by default: order and escapes of RFC 2253, UTF-8 unescaped.

mod_ssl calls ``X509_NAME_print_ex(…, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB)``, described in OpenSSL's manual pages
ASN1_STRING_print_ex(3) and X509_NAME_print_ex(3). tests/wsgi/test_dn.py compares with a real Apache.

All text here is in WSGI's form: UTF-8 octets, each a character of ISO 8859-1 (PEP 3333, "Unicode Issues").
"""

from __future__ import annotations

import functools
import ssl

from tlsrun.certificates.asn1 import Element, content_of, dotted, elements
from tlsrun.wsgi.attribute_names import SHORT_NAMES

#: String type -> the encoding of its octets (X.680, section 8). For other types in a name (BIT STRING, SEQUENCE)
#: OpenSSL prints the DER in hexadecimal.
_ENCODINGS = {
    0x0C: "",  # UTF8String: not converted
    0x12: "latin-1",  # NumericString
    0x13: "latin-1",  # PrintableString
    0x14: "latin-1",  # TeletexString
    0x16: "latin-1",  # IA5String
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}

_CONTROLS = {code: f"\\{code:02X}" for code in (*range(0x20), 0x7F)}
_BACKSLASH = {ord("\\"): "\\\\"}
_SPECIAL = {ord(character): f"\\{character}" for character in ',+"<>;'}

_PLAIN = str.maketrans(_CONTROLS | _BACKSLASH)
_ESCAPED = str.maketrans(_CONTROLS | _BACKSLASH | _SPECIAL)


def spell_name(name: bytes) -> str:
    """A Name (RFC 5280, section 4.1.2.4) as text, most specific part first: ``CN=Jo\\, Jr.,OU=a+OU=b,O=Acme,C=DE``.

    Arguments:
        name: DER.

    Raises:
        ValueError: it is not DER.
    """
    rdns = ("+".join(map(_attribute, reversed(content_of(rdn.whole)))) for rdn in reversed(content_of(name)))
    return ",".join(rdns)


def _attribute(pair: Element) -> str:
    kind, value = elements(pair.content)
    oid = dotted(kind.content)
    short = SHORT_NAMES.get(oid) or _told_by_openssl(oid)
    text = _text(value.tag, value.content) if short else None
    if text is None:
        return f"{short or oid}=#{value.whole.hex().upper()}"
    return f"{short}={_escape(text)}"


@functools.lru_cache(maxsize=256)
def _told_by_openssl(oid: str) -> str | None:
    """OpenSSL's short name for an attribute that is rare in names; newer versions know more of them."""
    try:
        found: str = ssl._ASN1Object(oid).shortname
    except ValueError:
        return None
    return found


def _text(tag: int, content: bytes) -> str | None:
    """The value as UTF-8 octets; None if its type is not a string."""
    encoding = _ENCODINGS.get(tag)
    if encoding is None:
        return None
    if encoding:
        content = content.decode(encoding, "replace").encode()
    return content.decode("latin-1")


def _escape(text: str) -> str:
    """RFC 2253, section 2.4. For a single character, its rules for first and last conflict; OpenSSL uses the last."""
    escaped = text.translate(_ESCAPED)
    if text.endswith(" "):
        escaped = f"{escaped[:-1]}\\ "
    if len(text) > 1 and text[0] in " #":
        escaped = f"\\{escaped}"
    return escaped


def spell_alternative_name(content: bytes) -> str:
    """An e-mail address or DNS name from the SAN, with only control characters and backslashes escaped."""
    text = _text(0x16, content) or ""
    return text.translate(_PLAIN)

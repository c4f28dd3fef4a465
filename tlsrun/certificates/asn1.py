"""DER (X.690), as far as certificates and keys need it: sequences of values, and object identifiers.

Written by hand: cryptography parses only whole certificates and keys, and encodes them anew; here the original bytes
are needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Element(NamedTuple):
    """One encoded value (X.690, section 8.1): its tag, its content, and all of it with tag and length."""

    tag: int
    content: bytes
    whole: bytes


def elements(data: bytes) -> Iterator[Element]:
    """The consecutive values in ``data``.

    Raises:
        ValueError: it is not DER.
    """
    position = 0
    while position < len(data):
        element = _read(data, position)
        yield element
        position += len(element.whole)


def _read(data: bytes, position: int) -> Element:
    if len(data) - position < 2:
        raise ValueError("DER ends in the middle of a value")
    tag, length, start = data[position], data[position + 1], position + 2
    if tag & 0x1F == 0x1F or length == 0x80:
        raise ValueError("neither long tags nor indefinite lengths occur in a certificate")
    if length > 0x80:
        start += length - 0x80
        length = int.from_bytes(data[position + 2 : start], "big")
    end = start + length
    if end > len(data):
        raise ValueError("DER ends in the middle of a value")
    return Element(tag, data[start:end], data[position:end])


def content_of(data: bytes) -> list[Element]:
    """The values inside the first value in ``data``, which is usually a SEQUENCE."""
    return list(elements(_read(data, 0).content))


def dotted(oid: bytes) -> str:
    """An OBJECT IDENTIFIER in dotted notation, from its content octets (X.690, section 8.19)."""
    numbers, value = [], 0
    for octet in oid:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(value)
            value = 0
    if not numbers or oid[-1] & 0x80:
        raise ValueError("an empty object identifier, or one that is cut off")
    first = min(numbers[0] // 40, 2)
    return ".".join(str(number) for number in (first, numbers[0] - 40 * first, *numbers[1:]))

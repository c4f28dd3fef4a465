"""DER, as far as it is read here; and what is none."""

from __future__ import annotations

import pytest

from tlsrun.certificates.asn1 import content_of, dotted, elements


def test_values_one_behind_the_other() -> None:
    """With short and long lengths."""
    long = b"\x04\x82\x01\x00" + bytes(256)
    found = list(elements(b"\x02\x01\x05" + long + b"\x05\x00"))
    assert [(one.tag, len(one.content), len(one.whole)) for one in found] == [(2, 1, 3), (4, 256, 260), (5, 0, 2)]
    assert [one.content for one in content_of(b"\x30\x06\x02\x01\x01\x02\x01\x02" + b"behind")] == [b"\x01", b"\x02"]


@pytest.mark.parametrize(
    "data",
    [
        b"\x30", b"\x30\x05\x02\x01", b"\x30\x80\x00\x00", b"\x1f\x81\x01\x00", b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x84\x7f\xff", b"\x30\xff" + b"\xff" * 20, b"\x30\xff" + b"\xff" * 127,
    ],
)  # fmt: skip
def test_what_is_no_der(data: bytes) -> None:
    """Cut off, of an indefinite length, or of one that no file has."""
    with pytest.raises(ValueError, match="DER|occur"):
        list(elements(data))


@pytest.mark.parametrize(
    ("oid", "said"),
    [
        ("550403", "2.5.4.3"),
        ("2a864886f70d010901", "1.2.840.113549.1.9.1"),
        ("09", "0.9"),
        ("883703", "2.999.3"),
        ("5504848080800003", "2.5.4.1073741824.3"),
    ],
)
def test_object_identifiers(oid: str, said: str) -> None:
    """The first octets hold two numbers."""
    assert dotted(bytes.fromhex(oid)) == said


@pytest.mark.parametrize("oid", ["", "80", "55048f", "550483"])
def test_object_identifiers_that_are_cut_off(oid: str) -> None:
    """They are not taken for the part that is there."""
    with pytest.raises(ValueError, match="cut off"):
        dotted(bytes.fromhex(oid))

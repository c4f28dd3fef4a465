"""A damaged certificate is found damaged when it is read, not when it is first asked."""

from __future__ import annotations

import base64

import pytest

from tests.support.certs import Authority, Pair
from tests.tls.loading import problem
from tlsrun.certificates.parsing import parse_certificate
from tlsrun.certificates.pem import Block


@pytest.fixture(scope="module")
def pair(ca: Authority) -> Pair:
    return ca.leaf("a.test")


def test_a_good_certificate(pair: Pair) -> None:
    """It comes out as it went in."""
    assert parse_certificate(pair.der) == pair.certificate


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x2a"),  # the version
        (b"a.test", b"a\xff\xfeest"),  # the subject, which is no UTF-8 any more
        (b"tlsrun test", b"tl\xff\xfeun test"),  # the issuer
        (b"\x30\x82", b"\x31\x82"),  # the very first byte
    ],
)
def test_damage_is_found_at_once(pair: Pair, good: bytes, bad: bytes) -> None:
    """Whatever the library calls it, and however late it looks: the user gets a line of words."""
    der = pair.der
    assert good in der
    damaged = der.replace(good, bad, 1)
    with pytest.raises(ValueError, match=r"."):
        parse_certificate(damaged)
    text = Block(label="CERTIFICATE", body=base64.b64encode(damaged)).pem
    found = problem(text, pair.key_pem)
    assert found.what.startswith("certificate number 1 in the text given is damaged (")
    assert "no line says -----BEGIN" in problem(damaged, pair.key_pem).what

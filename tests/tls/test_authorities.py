"""Authorities that clients show: what is kept of their outcome, and how much work a stranger can ask for."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.certs import DAY, NOW, Authority
from tlsrun.tls.authorities import Authorities
from tlsrun.tls.revocation import read_lists

CA = Authority("kept", intermediates=1)
ROOT, SUB = (certificate.public_bytes(Encoding.DER) for certificate, _ in CA.line)


class Slow(Authorities):
    """Somebody is overtaken while he looks."""

    overtaken: datetime.datetime | None = None

    def _find(self, shown: tuple[bytes, ...], now: datetime.datetime) -> dict[bytes, str]:
        found = super()._find(shown, now)
        if shown and self.overtaken is not None:
            self._clock, self.overtaken = (lambda moment=self.overtaken: moment), None
            assert "expired" in next(iter(self.objections(shown).values()))
        return found


def test_what_was_found_before_a_list_ends_is_not_kept_beyond() -> None:
    """One handshake looks while the list is good; before it is done, another one finds it expired. So it stays."""
    authorities = Slow([ROOT], read_lists(CA.crl(level=0, ends=NOW + DAY)), clock=lambda: NOW)
    authorities.overtaken = NOW + 2 * DAY
    assert authorities.objections([SUB]) == {}
    later: Mapping[bytes, str] = authorities.objections([SUB])
    assert "expired on" in later[SUB]


def test_outcomes_are_kept_until_a_list_ends() -> None:
    """A look costs nothing meanwhile; from then on it is another one."""
    now = [NOW]
    authorities = Authorities([ROOT], read_lists(CA.crl(level=0, ends=NOW + DAY)), clock=lambda: now[0])
    found = authorities.objections([SUB])
    assert authorities.objections([SUB]) is found
    now[0] += 2 * DAY
    assert "expired on" in authorities.objections([SUB])[SUB]


def bearing_one_name(count: int, key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> list[bytes]:
    """As many certificates as asked for, each of which may have signed each."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "one")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key)
    builder = builder.not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    signer = ec.generate_private_key(ec.SECP256R1())
    return [
        builder.serial_number(number).sign(signer, hashes.SHA256()).public_bytes(Encoding.DER)
        for number in range(1, count + 1)
    ]


def test_a_row_that_bears_one_name() -> None:
    """A few do, where authorities sign each other; many would have a hundred signatures verified."""
    authorities = Authorities([ROOT], read_lists(CA.crl(level=0)), clock=lambda: NOW)
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    assert authorities.objections(bearing_one_name(4, key)) == {}
    with pytest.raises(ValueError, match="too many of them bear one name: 100"):
        authorities.objections(bearing_one_name(10, key))
    with pytest.raises(ValueError, match="there are 11"):
        authorities.objections(bearing_one_name(11, key))


def test_a_key_that_is_long_beyond_reason() -> None:
    """What signs with it takes long to verify."""
    authorities = Authorities([ROOT], read_lists(CA.crl(level=0)), clock=lambda: NOW)
    long = rsa.RSAPublicNumbers(e=65537, n=(1 << 8200) + 1).public_key()
    with pytest.raises(ValueError, match="an RSA key of 8201 bits"):
        authorities.objections(bearing_one_name(2, long))

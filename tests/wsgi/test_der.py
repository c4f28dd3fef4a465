"""tlsrun.wsgi.der: certificates are read as other libraries read them, and nothing else is taken for one."""

from __future__ import annotations

import datetime
import random

import pytest

from tests.support.certs import Authority, Pair
from tests.wsgi import forge
from tlsrun.certificates.asn1 import dotted
from tlsrun.wsgi.der import read_certificate
from tlsrun.wsgi.dn import spell_name


@pytest.mark.parametrize(
    "not_after",
    [
        datetime.datetime(2049, 12, 31, 23, 59, 59, tzinfo=datetime.timezone.utc),
        datetime.datetime(2050, 1, 1, tzinfo=datetime.timezone.utc),
        datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.timezone.utc),
    ],
)
@pytest.mark.parametrize("key", ["ecdsa", "rsa"])
def test_reads_what_cryptography_reads(ca: Authority, key: str, not_after: datetime.datetime) -> None:
    """Serial number, names, dates and SAN are those of `cryptography`, on both sides of 2050 (RFC 5280, 4.1.2.5)."""
    pair: Pair = ca.leaf(("a.test", "127.0.0.1", "jo@a.test"), key=key, not_after=not_after, client=True)
    fields, parsed = read_certificate(pair.der), pair.certificate
    assert int.from_bytes(fields.serial, "big") == parsed.serial_number
    assert fields.subject == parsed.subject.public_bytes()
    assert fields.issuer == parsed.issuer.public_bytes()
    assert (fields.not_before, fields.not_after) == (parsed.not_valid_before_utc, parsed.not_valid_after_utc)
    assert (fields.dns, fields.emails) == ((b"a.test",), (b"jo@a.test",))


def test_a_name_in_latin_1(ca: Authority) -> None:
    """Older authorities write Latin-1 into a TeletexString; OpenSSL takes that, and the application is told."""
    der = ca.leaf("muller.test", client=True).der
    assert b"\x0c\x0bmuller.test" in der
    fields = read_certificate(der.replace(b"\x0c\x0bmuller.test", b"\x14\x0bm\xfcller.test"))
    assert spell_name(fields.subject) == "CN=m\u00fcller.test".encode().decode("latin-1")


def test_without_a_san(ca: Authority) -> None:
    """A certificate without a SAN has no names in it."""
    fields = read_certificate(ca.leaf("a.test", san=False).der)
    assert (fields.dns, fields.emails) == ((), ())


@pytest.mark.parametrize(
    "data",
    [b"", b"\x30", b"\x30\x00", b"\x30\x02\x30\x00", b"\x30\x80\x00\x00", b"\x30\x02\x1f\x01", b"\x30\x82\xff\xff"],
)
def test_what_is_no_certificate(data: bytes) -> None:
    """Anything else is a ValueError."""
    with pytest.raises(ValueError, match="DER|certificate"):
        read_certificate(data)


def test_damaged_certificates(ca: Authority) -> None:
    """A certificate cut short or with octets changed is read or refused, never anything worse."""
    whole = ca.leaf("a.test").der
    chance = random.Random(1)  # noqa: S311 -- the same damage in every run
    damaged = [whole[:length] for length in range(0, len(whole), 7)]
    for _ in range(2000):
        octets = bytearray(whole)
        octets[chance.randrange(len(octets))] = chance.randrange(256)
        damaged.append(bytes(octets))
    for one in damaged:
        try:
            read_certificate(one)
        except ValueError:
            continue


@pytest.mark.parametrize(
    "identifier", ["2.5.4.3", "1.2.840.113549.1.9.1", "0.9.2342.19200300.100.1.25", "2.999.0.127.128.16384"]
)
def test_object_identifiers(identifier: str) -> None:
    """An object identifier reads in dots as it was written."""
    assert dotted(forge.oid(identifier)[2:]) == identifier

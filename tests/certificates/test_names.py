"""A host is matched with a certificate's names as clients match it."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.certs import Authority, Pair
from tlsrun.certificates.names import alternative_names, covers, shown_name

NAMES = ("Example.test", "*.example.test", "*.test", "*", "f*.partial.test", "xn--bcher-kva.example",
         "192.0.2.1", "2001:db8::1", "me@example.org")  # fmt: skip


@pytest.fixture(scope="module")
def pair(ca: Authority) -> Pair:
    return ca.leaf(NAMES)


@pytest.mark.parametrize(
    ("host", "covered"),
    [
        ("example.test", True),
        ("EXAMPLE.test.", True),
        ("www.example.test", True),
        ("*.example.test", True),
        ("a.b.example.test", False),
        ("other.test", False),  # a wildcard right below a top-level domain
        ("localhost", False),
        ("foo.partial.test", False),
        ("f*.partial.test", True),
        ("bücher.example", True),
        ("BÜCHER.example", True),
        ("xn--bcher-kva.example", True),
        ("192.0.2.1", True),
        ("192.0.2.2", False),
        ("2001:db8::1", True),
        ("2001:0DB8:0:0::1", True),
        ("[2001:db8::1]", True),
        ("[example.test]", False),
        ("me@example.org", False),
        (".example.test", False),
        ("", False),
        (".", False),
        ("a" * 64 + "ü.test", False),
    ],
)
def test_covers(pair: Pair, host: str, covered: bool) -> None:
    """Wildcards stand for one whole label, addresses for themselves."""
    assert covers(pair.certificate, host) is covered


def test_a_name_that_looks_like_an_address_covers_none() -> None:
    """An address written into the SAN as a DNS name is not one for clients either."""
    names = x509.SubjectAlternativeName([x509.DNSName("192.0.2.1")])
    assert not covers(_certificate_with(names), "192.0.2.1")


def test_the_common_name_does_not_count(ca: Authority) -> None:
    """Without a SAN nothing is covered (RFC 9525, section 2)."""
    certificate = ca.leaf("example.test", san=False).certificate
    assert not covers(certificate, "example.test")
    assert alternative_names(certificate) == ()


def test_names_are_listed_in_their_order(pair: Pair) -> None:
    """DNS names and addresses, nothing else."""
    assert alternative_names(pair.certificate) == NAMES[:-1]


def test_a_subject_is_shown_by_its_common_name(ca: Authority) -> None:
    """Or whole, when it has none."""
    assert shown_name(ca.root.subject) == "CN=tlsrun test root"
    assert shown_name(x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Org")])) == "O=Org"
    assert shown_name(x509.Name([])) == "(no name)"


def _certificate_with(names: x509.SubjectAlternativeName) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=True)
        .sign(key, hashes.SHA256())
    )

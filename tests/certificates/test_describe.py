"""What is said of a certificate agrees with what openssl says of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509

from tests.support.certs import DAY, NOW, Authority
from tests.tls.loading import NEW_KEY, openssl
from tlsrun.certificates.describe import Fact, describe, title


def facts(certificate: x509.Certificate) -> dict[str, Fact]:
    return {fact.label: fact for fact in describe(certificate, NOW)}


def made(folder: Path, *arguments: str) -> x509.Certificate:
    """A self-signed certificate by `openssl req`."""
    key = () if "-newkey" in arguments else NEW_KEY
    openssl("req", "-x509", *key, "-nodes", "-keyout", "key.pem", "-out", "cert.pem", *arguments, cwd=folder)
    return x509.load_pem_x509_certificate((folder / "cert.pem").read_bytes())


def test_a_leaf(ca: Authority, tmp_path: Path) -> None:
    """Names, dates, use, key, who signed it, and the numbers to compare."""
    pair = ca.leaf(("a.test", "*.a.test", "192.0.2.7", "me@a.test"))
    found = facts(pair.certificate)
    assert found["names"].text == "a.test, *.a.test, 192.0.2.7, me@a.test"
    assert found["valid"].text == f"{NOW - DAY:%Y-%m-%d %H:%M} to {NOW + 30 * DAY:%Y-%m-%d %H:%M} UTC, 30 days left"
    assert found["for"].text == "servers"
    assert found["key"].text == "ECDSA P-256"
    assert found["issuer"].text == "CN=tlsrun test root intermediate 1"
    assert found["signature"].text == "ECDSA with SHA-256"
    (tmp_path / "c.pem").write_bytes(pair.cert_pem)
    said = openssl("x509", "-in", tmp_path / "c.pem", "-noout", "-serial", "-fingerprint", "-sha256")
    assert found["serial"].text.replace(":", "") in said
    assert found["SHA-256"].text in said
    assert not any(fact.alarming for fact in found.values())
    assert title(pair.certificate) == "a.test"


@pytest.mark.parametrize(
    ("begins", "ends", "says"),
    [(-90, -2, "EXPIRED 2 days ago"), (3, 9, "NOT YET, in 3 days"), (-5, 1, "1 day left")],
)
def test_validity(ca: Authority, begins: int, ends: int, says: str) -> None:
    """What clients refuse stands out."""
    leaf = ca.leaf(not_before=NOW + begins * DAY, not_after=NOW + ends * DAY).certificate
    found = facts(leaf)["valid"]
    assert found.text.endswith(says)
    assert found.alarming == (begins > 0 or ends < 0)


def test_no_names(ca: Authority) -> None:
    """A common name alone is none."""
    found = facts(ca.leaf("a.test", san=False).certificate)["names"]
    assert (found.text, found.alarming) == ("none in subjectAltName: clients refuse it", True)


def test_a_ca(ca: Authority, tmp_path: Path) -> None:
    """That it signs others, and how far down; that it has no names is no fault of it."""
    found = facts(ca.root)
    assert found["for"].text == "signing others (a CA)"
    assert found["issuer"].text == "itself"
    assert "names" not in found
    limited = made(tmp_path, "-subj", "/CN=x", "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0")
    assert facts(limited)["for"].text == "signing others (a CA), 0 more CAs below it"


@pytest.mark.parametrize(
    ("arguments", "signature"),
    [
        (["-newkey", "rsa:2048", "-sha256"], "RSA with SHA-256"),
        (["-newkey", "rsa:2048", "-sha512", "-sigopt", "rsa_padding_mode:pss"], "RSA-PSS with SHA-512"),
        (["-newkey", "ed25519"], "Ed25519"),
        (["-sha1"], "ECDSA with SHA-1"),
        (["-sha384"], "ECDSA with SHA-384"),
    ],
)
def test_signatures(tmp_path: Path, arguments: list[str], signature: str) -> None:
    """As people write them."""
    assert facts(made(tmp_path, "-subj", "/CN=x", *arguments))["signature"].text == signature


def test_where_to_ask(tmp_path: Path) -> None:
    """The issuer's certificate, OCSP and revocation list."""
    certificate = made(
        tmp_path, "-subj", "/C=DE/O=Acme/CN=x", "-addext", "extendedKeyUsage=serverAuth,clientAuth,1.2.3.4",
        "-addext", "authorityInfoAccess=caIssuers;URI:http://ca.test/ca.der,OCSP;URI:http://ocsp.test",
        "-addext", "crlDistributionPoints=URI:http://ca.test/ca.crl", "-addext", "basicConstraints=CA:FALSE",
    )  # fmt: skip
    found = facts(certificate)
    assert found["issuer at"].text == "http://ca.test/ca.der"
    assert found["OCSP at"].text == "http://ocsp.test"
    assert found["CRL at"].text == "http://ca.test/ca.crl"
    assert found["for"].text == "servers, clients, 1.2.3.4"
    assert found["subject"].text == "CN=x, O=Acme, C=DE"


def test_titles(tmp_path: Path) -> None:
    """Without a common name, the first name; without that, the subject."""
    assert title(made(tmp_path, "-subj", "/O=Acme", "-addext", "subjectAltName=DNS:a.test,DNS:b.test")) == "a.test"
    assert title(made(tmp_path, "-subj", "/O=Acme")) == "O=Acme"

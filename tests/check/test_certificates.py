"""Findings in certificates: dates, names, lifetime, kind; the development certificate; clients' authorities; SNI."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509

from tests.check.examining import check, codes, only
from tests.check.horrors import leaf, openssl, openssl_authority, openssl_leaf, written
from tests.support.certs import DAY, NOW, Authority, Pair, Paths
from tlsrun.check.certificate import longest_lifetime
from tlsrun.check.code import Severity
from tlsrun.check.report import Report
from tlsrun.development.authority import find_authority, obtain_authority
from tlsrun.development.store import development_identity


def of(pair: Pair, folder: Path, **settings: object) -> Report:
    """The report about a pair."""
    paths = pair.write(folder / "pair")
    return check(cert=str(paths.fullchain), key=str(paths.key), **settings)  # type: ignore[arg-type]


def test_expired(tmp_path: Path, ca: Authority) -> None:
    """An expired certificate is an error, also on loopback, where a server would still start."""
    report = of(ca.leaf(not_before=NOW - 90 * DAY, not_after=NOW - 2 * DAY), tmp_path)
    assert "expired" in only(report, "TLS140").what
    assert report.exit_code(strict=False) == 2


def test_not_yet_valid(tmp_path: Path, ca: Authority) -> None:
    """So is one whose time has not come."""
    report = of(ca.leaf(not_before=NOW + 2 * DAY, not_after=NOW + 9 * DAY), tmp_path)
    assert "not valid yet" in only(report, "TLS141").what


def test_expires_soon(tmp_path: Path, ca: Authority) -> None:
    """Three weeks are soon, a third of the lifetime where that is less; --expires-within says it otherwise."""
    in_10 = ca.leaf(not_before=NOW - 80 * DAY, not_after=NOW + 10 * DAY)
    assert "expires in " in only(of(in_10, tmp_path), "TLS142").what
    assert "TLS142" not in codes(of(in_10, tmp_path, within=5 * DAY))
    of_6_days = ca.leaf(not_before=NOW - DAY, not_after=NOW + 5 * DAY)
    assert "TLS142" not in codes(of(of_6_days, tmp_path))
    assert "TLS142" in codes(of(of_6_days, tmp_path, within=5 * DAY))


def test_an_intermediate_expires_too(tmp_path: Path) -> None:
    """The dates of the chain count."""
    authority = Authority("short", intermediates=1)
    report = of(authority.leaf(), tmp_path, within=366 * DAY)
    assert {finding.where for finding in report.findings if finding.code.code == "TLS142"} == {"cert= in the test"}
    assert any("issuer CN=short intermediate" in finding.what for finding in report.findings)


def test_an_issuer_that_has_expired(tmp_path: Path) -> None:
    """The one that signed the certificate is needed, and the certificate itself is called good."""
    authority = Authority("short", intermediates=1, ends=[NOW - DAY])
    report = of(authority.leaf(), tmp_path)
    assert "the issuer CN=short intermediate 1" in only(report, "TLS138").what
    assert "TLS140" not in codes(report)
    assert report.exit_code(strict=False) == 2


def test_an_expired_cross_signature(tmp_path: Path) -> None:
    """It is left out, and a warning: who knows the new root accepts the certificate."""
    old, new = Authority("old"), Authority("new", intermediates=1)
    pair = new.leaf()
    cross = new.cross_signed(old, ends=NOW - DAY)
    report = of(Pair(cert_pem=pair.cert_pem, chain_pem=pair.chain_pem + cross, key_pem=pair.key_pem), tmp_path)
    assert "holds CN=new as signed by CN=old, which expired" in only(report, "TLS137").what
    assert report.exit_code(strict=False) == 0
    assert not {"TLS138", "TLS140"} & codes(report)


@pytest.mark.parametrize(
    ("begins", "days"),
    [("2020-08-31", 825), ("2020-09-01", 398), ("2026-03-15", 200), ("2027-03-15", 100), ("2029-03-15", 47)],
)
def test_longest_lifetimes(begins: str, days: int, ca: Authority) -> None:
    """The schedule of the CA/Browser Forum, by the day of issue; an authority of one's own has Apple's 825 days."""
    start = datetime.datetime.fromisoformat(begins).replace(tzinfo=datetime.timezone.utc)
    certificate = ca.leaf(not_before=start, not_after=start + DAY).certificate
    assert longest_lifetime(certificate, private=False) == days
    assert longest_lifetime(certificate, private=True) == 825


def test_lifetime(tmp_path: Path, ca: Authority, ca_file: Path) -> None:
    """A year was fine once; from a root that the user names it still is, but three years are not."""
    year, years = (leaf(ca, lifetime=count * DAY) for count in (399, 1000))
    for (cert, key), private, expected in ((year, False, True), (year, True, False), (years, True, True)):
        paths = written(tmp_path, "l.pem", cert + ca.intermediate_pems[0]), written(tmp_path, "l.key", key)
        report = check(cert=str(paths[0]), key=str(paths[1]), ca=ca_file if private else None)
        assert ("TLS143" in codes(report)) is expected


def test_no_san(tmp_path: Path, ca: Authority) -> None:
    """A certificate with a common name alone."""
    assert "subjectAltName" in only(of(ca.leaf(san=False), tmp_path), "TLS144").what


def test_name_not_covered(tmp_path: Path, ca: Authority) -> None:
    """The host that is listened on, and each of `hosts`; loopback is worth a note only."""
    pair = ca.leaf("example.org")
    assert only(of(pair, tmp_path), "TLS145").severity is Severity.INFO
    report = of(pair, tmp_path, host="192.0.2.1")
    assert "192.0.2.1" in only(report, "TLS145").what
    assert only(report, "TLS145").severity is Severity.WARNING
    report = of(pair, tmp_path, hosts="example.org www.example.org", redirect_port=8081)
    assert "www.example.org" in only(report, "TLS145").where
    assert "TLS145" not in codes(of(pair, tmp_path, host="0.0.0.0"))  # noqa: S104 -- nothing is bound


def test_ca_as_leaf_and_self_signed(tmp_path: Path) -> None:
    """What `openssl req -x509` makes without being told otherwise."""
    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "self.key",
        "-out",
        "self.pem",
        "-subj",
        "/CN=localhost",
        "-days",
        "30",
        "-addext",
        "subjectAltName=DNS:localhost",
        cwd=tmp_path,
    )
    report = check(cert=str(tmp_path / "self.pem"), key=str(tmp_path / "self.key"))
    assert "CA:TRUE" in only(report, "TLS146").what
    assert only(report, "TLS147").severity is Severity.WARNING


def test_not_for_servers(tmp_path: Path, ca: Authority) -> None:
    """A client's certificate."""
    assert "serverAuth" in only(of(ca.leaf(client=True), tmp_path), "TLS148").what


def test_sha1(tmp_path: Path) -> None:
    """A SHA-1 signature, whether OpenSSL still takes it or not."""
    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-sha1",
        "-nodes",
        "-keyout",
        "sha1.key",
        "-out",
        "sha1.pem",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        cwd=tmp_path,
    )
    report = check(cert=str(tmp_path / "sha1.pem"), key=str(tmp_path / "sha1.key"))
    assert "SHA" in only(report, "TLS121").what
    assert report.exit_code(strict=False) == 2


def test_a_signature_that_clients_do_not_know(tmp_path: Path) -> None:
    """SHA-3, whether OpenSSL takes it or not."""
    root = openssl_authority(tmp_path)
    cert, key = openssl_leaf(tmp_path, digest="sha3-256")
    report = check(cert=str(cert), key=str(key), ca=root)
    assert "signed with SHA3-256, which clients do not know" in only(report, "TLS165").what
    assert report.exit_code(strict=False) == 2


def test_horrors_by_openssl(tmp_path: Path) -> None:
    """Expired, in the wrong order, glued, mismatched, weak: each as openssl makes it."""
    root = openssl_authority(tmp_path)
    cert, key = openssl_leaf(tmp_path, begins="20240101000000Z", ends="20240301000000Z")
    assert "TLS140" in codes(check(cert=str(cert), key=str(key), ca=root))
    cert, key = openssl_leaf(tmp_path)
    chain = (tmp_path / "intermediate.pem").read_bytes()
    order = written(tmp_path, "order.pem", chain + cert.read_bytes())
    assert {code for code in codes(check(cert=str(order), key=str(key), ca=root)) if code[3] == "1"} == {"TLS131"}
    glued = written(tmp_path, "glued.pem", cert.read_bytes().rstrip() + chain)
    assert {code for code in codes(check(cert=str(glued), key=str(key), ca=root)) if code[3] == "1"} == {"TLS130"}
    assert "TLS111" in codes(check(cert=str(cert), key=str(tmp_path / "root.key"), ca=root))
    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:1024",
        "-nodes",
        "-keyout",
        "weak.key",
        "-out",
        "weak.pem",
        "-subj",
        "/CN=localhost",
        cwd=tmp_path,
    )
    assert "TLS120" in codes(check(cert=str(tmp_path / "weak.pem"), key=str(tmp_path / "weak.key")))


def test_development_certificate(home: Path) -> None:
    """It is said what would be made, then by whom it would be signed, then which it is; nothing is ever made."""
    finding = only(check(), "TLS150")
    assert "a CA would be made" in finding.what
    assert not list(home.rglob("*.pem"))
    assert find_authority(NOW) is None
    path = obtain_authority(NOW).path
    assert str(path) in only(check(), "TLS150").what
    made = development_identity(["127.0.0.1"], now=NOW)
    report = check()
    assert made.sources.cert.name in only(report, "TLS150").what
    assert {code for code in codes(report) if code[3] == "1"} == {"TLS150"}
    assert report.exit_code(strict=True) == 0


def test_damaged_development_ca(home: Path) -> None:
    """A CA that is damaged is said with its folder."""
    path = obtain_authority(NOW).path
    path.write_bytes(b"damaged")
    assert str(path.parent) in only(check(), "TLS151").where


def test_client_ca(tmp_path: Path, localhost_cert: Paths) -> None:
    """Authorities that are none."""
    good = {"cert": str(localhost_cert.fullchain), "key": str(localhost_cert.key)}
    report = check(**good, client_ca=str(written(tmp_path, "clients.pem", b"nothing")))
    assert "clients.pem" in only(report, "TLS160").what


def test_clients_that_others_refuse(tmp_path: Path, localhost_cert: Paths) -> None:
    """An authority without key identifiers is a warning, by its name; one with them is none."""
    good = {"cert": str(localhost_cert.fullchain), "key": str(localhost_cert.key)}
    plain = Authority("plain", identifiers=False).write(tmp_path / "plain")
    finding = only(check(**good, client_ca=str(plain)), "TLS139")
    assert f"the authority CN=plain in {plain} has no subjectKeyIdentifier" in finding.what
    assert finding.severity is Severity.WARNING
    assert "TLS139" not in codes(check(**good, client_ca=str(Authority("careful").write(tmp_path / "careful"))))


def test_must_staple(tmp_path: Path, ca: Authority) -> None:
    """No server here staples; said once, by start and check."""
    cert, key = leaf(ca, must_staple=True)
    paths = written(tmp_path, "cert.pem", cert + ca.intermediate_pems[0]), written(tmp_path, "cert.key", key)
    report = check(cert=str(paths[0]), key=str(paths[1]))
    assert "must-staple" in only(report, "TLS123").what
    assert "TLS123" not in codes(of(ca.leaf(), tmp_path))


def test_sni(tmp_path: Path, ca: Authority, ca_file: Path, localhost_cert: Paths) -> None:
    """A folder without certificates; one under a name that it is not for; one that expires; two alike; no site."""
    good = {"cert": str(localhost_cert.fullchain), "key": str(localhost_cert.key), "ca": ca_file}
    (tmp_path / "sites").mkdir()
    assert "no certificate" in only(check(**good, sni=str(tmp_path / "sites")), "TLS161").what  # type: ignore[arg-type]
    pair = ca.leaf("a.example", not_after=NOW + 2 * DAY, not_before=NOW - 80 * DAY).write(tmp_path / "a.example")
    named = {"b.example": {"cert": str(pair.fullchain), "key": str(pair.key)}}
    report = check(**good, sni=named)  # type: ignore[arg-type]
    assert "b.example" in only(report, "TLS162").what
    assert "expires in" in only(report, "TLS142").what
    for folder, days in (("example", 20), ("example-0001", 80)):
        ca.leaf("c.example", not_after=NOW + days * DAY).write(tmp_path / "sites" / folder)
    (tmp_path / "sites" / "README").write_text("This folder holds certificates.")
    (tmp_path / "sites" / "ca.crt").write_bytes(ca.root_pem)
    report = check(**good, sni=str(tmp_path / "sites"))  # type: ignore[arg-type]
    assert f"{tmp_path}/sites/example/fullchain.pem is not served for c.example" in only(report, "TLS163").what
    assert "ca.crt; no key lies beside it" in only(report, "TLS164").what
    assert report.exit_code(strict=True) == 1


def test_loads_with_an_unknown_signature_are_not_weak(ca: Authority) -> None:
    """Only SHA-1 and MD5 are; Ed25519 has no hash at all."""
    from tlsrun.certificates.strength import is_weak_key, weak_signature

    certificate: x509.Certificate = ca.leaf().certificate
    assert weak_signature(certificate) is None
    assert not is_weak_key(certificate)

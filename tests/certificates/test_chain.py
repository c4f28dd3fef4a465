"""The chain that is sent is right whatever the files hold, and every mend is said with the file's name."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509

from tests.support.certs import DAY, NOW, PEM, Authority, Pair, make_key
from tests.tls.loading import CERT, CHAIN, NEW_KEY, load, openssl
from tlsrun.certificates.chain import is_signed_by


@pytest.fixture(scope="module")
def long() -> Authority:
    """Root, two intermediates."""
    return Authority("long", intermediates=2)


@pytest.fixture(scope="module")
def pair(long: Authority) -> Pair:
    return long.leaf("a.test")


@pytest.fixture(autouse=True)
def _no_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test puts there is known."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")


def pems(*certificates: x509.Certificate) -> bytes:
    return b"".join(certificate.public_bytes(PEM) for certificate in certificates)


def sent(pair: Pair, tmp_path: Path, cert: bytes, chain: bytes | None = None) -> tuple[list[str], list[str]]:
    """The common names that are sent, and the warnings."""
    (tmp_path / "cert.pem").write_bytes(cert)
    (tmp_path / "chain.pem").write_bytes(chain or b"")
    identity, warnings = load(tmp_path / "cert.pem", pair.key_pem, None if chain is None else tmp_path / "chain.pem")
    names = [one.subject.rfc4514_string() for one in (identity.certificate, *identity.chain)]
    assert [block.subject.rfc4514_string() for block in x509.load_pem_x509_certificates(identity.fullchain)] == names
    return names, warnings


WHOLE = ["CN=a.test", "CN=long intermediate 2", "CN=long intermediate 1"]


def test_a_right_chain_passes_in_silence(pair: Pair, tmp_path: Path) -> None:
    """In one file, or with the intermediates in a second one."""
    assert sent(pair, tmp_path, pair.fullchain_pem) == (WHOLE, [])
    assert sent(pair, tmp_path, pair.cert_pem, pair.chain_pem) == (WHOLE, [])


@pytest.mark.parametrize("order", [(2, 1, 0), (1, 0, 2), (0, 2, 1), (1, 2, 0), (2, 0, 1)])
def test_a_wrong_order_is_mended(pair: Pair, tmp_path: Path, order: tuple[int, ...]) -> None:
    """Leaf first, then each issuer, and one warning that names the file."""
    all_of_it = x509.load_pem_x509_certificates(pair.fullchain_pem)
    names, warnings = sent(pair, tmp_path, pems(*(all_of_it[position] for position in order)))
    assert names == WHOLE
    (warning,) = warnings
    assert warning.startswith(f"{CERT}: the certificates in {tmp_path}/cert.pem are in the wrong order (")
    assert f"served in the right one ({', '.join(WHOLE)})" in warning


def test_a_wrong_order_over_two_files_names_both(pair: Pair, tmp_path: Path) -> None:
    """When certificate and chain were swapped."""
    names, warnings = sent(pair, tmp_path, pair.chain_pem, pair.cert_pem)
    assert names == WHOLE
    (warning,) = warnings
    assert warning.startswith(f"{CERT} and {CHAIN}: the certificates in {tmp_path}/cert.pem and {tmp_path}/chain.pem")


def test_glued_certificates_are_read_as_two(pair: Pair, tmp_path: Path) -> None:
    """What `cat` makes of files without a final line break is mended, and the file named."""
    glued = pair.fullchain_pem.replace(b"-----\n-----BEGIN", b"----------BEGIN")
    names, warnings = sent(pair, tmp_path, glued)
    assert names == WHOLE
    (warning,) = warnings
    assert warning.startswith(f"{CERT}: in {tmp_path}/cert.pem a BEGIN line is glued to the END line before it")


def test_the_root_is_left_out(pair: Pair, long: Authority, tmp_path: Path) -> None:
    """It costs bytes in every handshake and proves nothing; one warning says so."""
    names, warnings = sent(pair, tmp_path, pair.fullchain_pem + long.root_pem)
    assert names == WHOLE
    (warning,) = warnings
    assert f"{tmp_path}/cert.pem holds the root (CN=long)" in warning


def test_duplicates_are_sent_once(pair: Pair, tmp_path: Path) -> None:
    """Whether in one file or because fullchain and chain were both given."""
    names, warnings = sent(pair, tmp_path, pair.cert_pem * 2 + pair.chain_pem)
    assert names == WHOLE
    (warning,) = warnings
    assert f"{tmp_path}/cert.pem repeats what was given before (CN=a.test)" in warning
    names, warnings = sent(pair, tmp_path, pair.fullchain_pem, pair.chain_pem)
    assert names == WHOLE
    (warning,) = warnings
    assert warning.startswith(f"{CHAIN}: {tmp_path}/chain.pem repeats what was given before (CN=long intermediate 2,")


def test_strangers_are_left_out(pair: Pair, ca: Authority, tmp_path: Path) -> None:
    """Certificates that signed nothing here are named and not sent."""
    stranger = ca.leaf("b.test")
    names, warnings = sent(pair, tmp_path, stranger.fullchain_pem + pair.fullchain_pem)
    assert names == WHOLE
    (warning,) = warnings
    assert "certificates that did not sign CN=a.test nor its issuers (CN=b.test, CN=tlsrun test root" in warning


def test_an_issuer_by_name_alone_is_a_stranger(tmp_path: Path) -> None:
    """A renewed intermediate of the same name with another key signed nothing."""
    old, new = Authority("same", intermediates=1), Authority("same", intermediates=1)
    pair = old.leaf("a.test")
    names, warnings = sent(pair, tmp_path, pair.cert_pem + b"".join(new.intermediate_pems))
    assert names == ["CN=a.test"]
    assert "did not sign CN=a.test" in warnings[0]
    assert "does not hold CN=same intermediate 1, the issuer of CN=a.test" in warnings[1]


def test_a_missing_issuer_is_named(pair: Pair, tmp_path: Path) -> None:
    """The commonest fault: browsers that cached the intermediate work, everybody else fails."""
    names, warnings = sent(pair, tmp_path, pair.cert_pem)
    assert names == ["CN=a.test"]
    (warning,) = warnings
    assert warning.startswith(
        f"{CERT}: {tmp_path}/cert.pem does not hold CN=long intermediate 2, the issuer of CN=a.test"
    )


def test_a_gap_is_a_missing_issuer(pair: Pair, long: Authority, tmp_path: Path) -> None:
    """The upper intermediate alone does not help."""
    names, warnings = sent(pair, tmp_path, pair.cert_pem + pems(long.line[1][0]))
    assert names == ["CN=a.test"]
    assert "did not sign" in warnings[0]
    assert "does not hold CN=long intermediate 2" in warnings[1]


def test_the_address_of_a_missing_issuer_is_said(tmp_path: Path) -> None:
    """Public certificates say where their issuer is to be had; LDAP addresses are passed over."""
    openssl("req", "-x509", *NEW_KEY, "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem",
            cwd=tmp_path)  # fmt: skip
    (tmp_path / "ext").write_text(
        "authorityInfoAccess=OCSP;URI:http://o.test/,caIssuers;URI:ldap://x/,caIssuers;URI:http://ca.test/ca.crt\n"
        "subjectAltName=DNS:a.test\n"
    )
    openssl("req", "-new", *NEW_KEY, "-subj", "/CN=a.test", "-keyout", "a.key", "-out", "a.csr",
            cwd=tmp_path)  # fmt: skip
    openssl("x509", "-req", "-in", "a.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-extfile", "ext", "-out", "a.pem", cwd=tmp_path)  # fmt: skip
    _, warnings = load(tmp_path / "a.pem", tmp_path / "a.key")
    (warning,) = warnings
    assert "(it is at http://ca.test/ca.crt)" in warning


def test_a_root_that_this_machine_knows_is_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ca_file: Path
) -> None:
    """A leaf right below a trusted root is complete, as mkcert's are."""
    direct = Authority("direct")
    pair = direct.leaf("a.test")
    assert "does not hold CN=direct" in sent(pair, tmp_path, pair.cert_pem)[1][0]
    bundle = tmp_path / "roots.pem"
    damaged = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    bundle.write_bytes(damaged + ca_file.read_bytes() + Authority("direct").root_pem + direct.root_pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert sent(pair, tmp_path, pair.cert_pem) == (["CN=a.test"], [])


def test_the_development_ca_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that `mkcert` wrote loads without a warning, whether or not the system trusts its CA."""
    direct = Authority("direct")
    pair = direct.leaf("a.test")
    (tmp_path / "rootCA.pem").write_bytes(direct.root_pem)
    monkeypatch.setenv("CAROOT", str(tmp_path))
    assert sent(pair, tmp_path, pair.cert_pem) == (["CN=a.test"], [])


def test_a_self_signed_certificate_lacks_nothing(tmp_path: Path) -> None:
    """Its issuer is itself."""
    openssl("req", "-x509", *NEW_KEY, "-subj", "/CN=a.test", "-keyout", "a.key", "-out", "a.pem",
            "-addext", "subjectAltName=DNS:a.test", "-addext", "basicConstraints=critical,CA:FALSE",
            cwd=tmp_path)  # fmt: skip
    identity, warnings = load(tmp_path / "a.pem", tmp_path / "a.key")
    assert identity.chain == ()
    assert warnings == []


def test_the_leaf_is_the_certificate_of_the_key(ca: Authority, tmp_path: Path) -> None:
    """Of two leaves in a file, the one whose key was given."""
    a, b = ca.leaf("a.test"), ca.leaf("b.test", key="rsa")
    names, warnings = sent(b, tmp_path, a.cert_pem + b.cert_pem + a.chain_pem)
    assert names[0] == "CN=b.test"
    assert len(warnings) == 1


def test_of_an_issuer_and_its_cross_signed_version_the_longer_way_is_taken(tmp_path: Path) -> None:
    """Clients that know only the old root need it; those that know the new one do not mind."""
    old, new = Authority("old"), Authority("new", intermediates=1)
    pair = new.leaf("a.test")
    names, warnings = sent(pair, tmp_path, pair.fullchain_pem + new.root_pem + new.cross_signed(old))
    assert names == ["CN=a.test", "CN=new intermediate 1", "CN=new"]
    assert len(warnings) == 1
    assert "holds certificates that did not sign" in warnings[0]


def test_a_loop_of_cross_signatures_ends(tmp_path: Path) -> None:
    """Two CAs that signed each other are each sent once."""
    a, b = Authority("a"), Authority("b")
    pair = a.leaf("a.test")
    loop = a.cross_signed(b) + b.cross_signed(a)
    names, warnings = sent(pair, tmp_path, pair.cert_pem + loop)
    assert names == ["CN=a.test", "CN=a", "CN=b"]
    assert warnings == []


def test_an_expired_cross_signature_is_left_out(tmp_path: Path) -> None:
    """Clients that know the root need nothing above the intermediate; the warning names both, and the day."""
    old, new = Authority("old"), Authority("new", intermediates=1)
    pair = new.leaf("a.test")
    cross = new.cross_signed(old, ends=NOW - DAY)
    names, warnings = sent(pair, tmp_path, pair.fullchain_pem + cross + old.root_pem)
    assert names == ["CN=a.test", "CN=new intermediate 1"]
    (warning,) = warnings
    assert f"{tmp_path}/cert.pem holds CN=new as signed by CN=old, which expired on " in warning
    assert "clients that know CN=new accept CN=a.test without it" in warning


def test_an_issuer_in_date_is_preferred_to_its_expired_version(tmp_path: Path) -> None:
    """Whatever their order, and though the one in date is the root itself."""
    old, new = Authority("old"), Authority("new", intermediates=1)
    pair = new.leaf("a.test")
    expired = new.cross_signed(old, ends=NOW - DAY)
    names, warnings = sent(pair, tmp_path, pair.fullchain_pem + expired + new.root_pem)
    assert names == ["CN=a.test", "CN=new intermediate 1"]
    assert len(warnings) == 2
    assert "which expired on" in warnings[0]
    assert "holds the root (CN=new)" in warnings[1]
    renewed = new.cross_signed(old, level=1)
    past = new.cross_signed(old, level=1, ends=NOW - DAY)
    names, warnings = sent(pair, tmp_path, pair.cert_pem + past + renewed)
    assert names == ["CN=a.test", "CN=new intermediate 1"]
    assert load(tmp_path / "cert.pem", pair.key_pem)[0].chain[0].public_bytes(PEM) == renewed
    assert len(warnings) == 1


def test_an_expired_issuer_below_a_known_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A root signed the leaf itself: its cross-signature is left out. Nobody knows that root: it stays, for it is
    needed."""
    old, new = Authority("old"), Authority("new")
    pair = new.leaf("a.test")
    cross = new.cross_signed(old, ends=NOW - DAY)
    names, warnings = sent(pair, tmp_path, pair.fullchain_pem + cross)
    assert (names, warnings) == (["CN=a.test", "CN=new"], [])
    (tmp_path / "roots.pem").write_bytes(new.root_pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    names, warnings = sent(pair, tmp_path, pair.fullchain_pem + cross)
    assert names == ["CN=a.test"]
    assert len(warnings) == 1


def test_of_two_certificates_for_one_key_the_one_in_date_is_served(ca: Authority, tmp_path: Path) -> None:
    """A file to which a renewal was added at the end."""
    key = make_key("ecdsa")
    old = ca.leaf("a.test", key=key, not_before=NOW - 9 * DAY, not_after=NOW - DAY)
    new = ca.leaf("a.test", key=key)
    (tmp_path / "cert.pem").write_bytes(old.cert_pem + new.fullchain_pem)
    assert load(tmp_path / "cert.pem", new.key_pem)[0].certificate == new.certificate


def test_signatures_are_checked(ca: Authority) -> None:
    """Name and signature both count."""
    leaf = ca.leaf("a.test").certificate
    assert is_signed_by(leaf, ca.line[-1][0])
    assert not is_signed_by(leaf, ca.root)
    assert not is_signed_by(leaf, Authority("tlsrun test root", intermediates=1).line[-1][0])

"""An identity is what the files say, or all that is wrong with them at once."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from tests.support.certs import DAY, NOW, Authority, Pair, Paths, make_key
from tests.tls.loading import (
    CERT,
    CHAIN,
    KEY,
    NEW_KEY,
    common_folder,
    load,
    openssl,
    problem,
    problems,
    source,
    sources,
    without_rights,
)
from tlsrun.certificates.identity import Identity, encrypted_key, validity_problem
from tlsrun.tls.context import load_certificate


@pytest.fixture(scope="module")
def pair(ca: Authority) -> Pair:
    return ca.leaf(("a.test", "*.a.test", "192.0.2.7", "2001:db8::7"))


def test_an_identity_says_what_openssl_says(paths: Paths) -> None:
    """Serial, fingerprint, validity and names agree with `openssl x509`."""
    identity, warnings = load(paths.fullchain, paths.key)
    assert warnings == []
    said = openssl("x509", "-in", paths.cert, "-noout", "-serial", "-fingerprint", "-sha256")
    assert f"serial={identity.serial.replace(':', '')}" in said
    assert f"ingerprint={identity.fingerprint}" in said
    assert identity.not_before == NOW - DAY
    assert identity.not_after == NOW + 30 * DAY
    assert identity.names == ("a.test", "*.a.test", "192.0.2.7", "2001:db8::7")
    assert identity.key_type == "ECDSA P-256"
    assert identity.fullchain == paths.pair.fullchain_pem
    assert identity.covers("www.a.test")
    assert identity.covers("2001:db8:0::7")
    assert not identity.covers("b.test")


@pytest.mark.parametrize("how", ["files", "text", "combined file", "key first", "chain apart", "combined text"])
def test_every_way_to_give_it(paths: Paths, tmp_path: Path, how: str) -> None:
    """Two files, one file, three files, or the text itself give the same identity, and a handshake."""
    pem, combined = paths.pair, tmp_path / "combined.pem"
    places = {
        "files": (paths.fullchain, paths.key),
        "text": (pem.fullchain_pem, pem.key_pem),
        "combined file": (combined,),
        "key first": (combined,),
        "chain apart": (paths.cert, paths.key, paths.chain),
        "combined text": (pem.key_pem + pem.fullchain_pem,),
    }
    combined.write_bytes(pem.key_pem + pem.fullchain_pem if how == "key first" else pem.fullchain_pem + pem.key_pem)
    identity, warnings = load(*places[how])
    assert warnings == []
    assert identity == Identity(
        certificate=pem.certificate,
        chain=tuple(x509.load_pem_x509_certificates(pem.chain_pem)),
        key=pem.key_pem,
    )
    assert _handshake(identity) == pem.der


def _handshake(identity: Identity) -> bytes:
    """The certificate that a client of this identity sees."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_certificate(server, identity)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname="a.test"),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ends[0].getpeercert(binary_form=True) or b""


def test_relative_paths_start_at_the_working_directory(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for every other program."""
    monkeypatch.chdir(paths.cert.parent)
    identity, _ = load(Path("fullchain.pem"), Path("privkey.pem"))
    assert identity.certificate == paths.pair.certificate


def test_the_key_never_shows(paths: Paths) -> None:
    """Not in the repr of the identity, nor key or password in that of the sources."""
    identity, _ = load(paths.fullchain, paths.key)
    secret = paths.pair.key_pem.splitlines()[1].decode()
    assert secret not in repr(identity)
    shown = repr(sources(paths.pair.cert_pem, paths.pair.key_pem, password=b"hunter2"))
    assert secret not in shown
    assert "hunter2" not in shown


def test_a_key_of_another_certificate(paths: Paths, ca: Authority, tmp_path: Path) -> None:
    """Both public keys are named, so that one sees which one is old."""
    (tmp_path / "other.pem").write_bytes(ca.leaf(key="rsa").key_pem)
    found = problem(paths.fullchain, tmp_path / "other.pem")
    assert found.where == f"{CERT} and {KEY}"
    assert found.what.startswith(
        f"the private key in {tmp_path}/other.pem does not match the certificate in {paths.fullchain}: "
        "the public key of the certificate CN=a.test is ECDSA P-256 (sha256 "
    )
    assert "that of the key is RSA 2048 (sha256 " in found.what
    commands = [part.strip() for part in found.remedy.split(": ", 1)[1].split(", and ")]
    first, second = (openssl(*command.split()[1:]) for command in commands)
    assert first != second


def test_a_combined_file_with_the_wrong_key(paths: Paths, ca: Authority, tmp_path: Path) -> None:
    """Is one setting's fault."""
    (tmp_path / "both.pem").write_bytes(paths.pair.fullchain_pem + ca.leaf().key_pem)
    assert problem(tmp_path / "both.pem").where == CERT


def test_problems_of_all_files_come_together(paths: Paths, tmp_path: Path) -> None:
    """Certificate, chain and key are each said, in one go."""
    found = problems(tmp_path / "no.pem", tmp_path, paths.key)
    assert {one.where: one.what for one in found} == {
        CERT: f"the file {tmp_path}/no.pem does not exist",
        KEY: f"{tmp_path} is a folder",
        CHAIN: f"{paths.key} holds no certificate in PEM: it is a private key",
    }
    encrypted = openssl("pkcs8", "-topk8", "-in", paths.key, "-passout", "pass:secret").encode()
    found = problems(b"hello", encrypted, b"-----BEGIN CERTIFICATE-----\nAA")
    assert {one.where: one.what for one in found} == {
        CERT: "the text given holds no certificate in PEM: it is something else, no line says -----BEGIN",
        KEY: "the private key in the text given is encrypted, and no password was given",
        CHAIN: "the text given holds no certificate in PEM: it is cut off, a BEGIN line has no END line",
    }


def test_several_damaged_certificates(paths: Paths, tmp_path: Path) -> None:
    """Each is said by its number."""
    cert, chain = paths.pair.cert_pem.splitlines(), paths.pair.chain_pem.splitlines()
    broken = tmp_path / "broken.pem"
    broken.write_bytes(b"\n".join([*cert[:3], *cert[4:], *chain[:2], b"!!!", *chain[2:]]))
    first, second = problems(broken, paths.key)
    assert first.what.startswith(f"certificate number 1 in {broken} is damaged (")
    assert second.what == f"certificate number 2 in {broken} is damaged (its base64 text is damaged)"
    broken.write_bytes(paths.pair.cert_pem + paths.pair.chain_pem[:300])
    assert problem(broken, paths.key).what == f"a certificate in {broken} is cut off: its BEGIN line has no END line"


def test_an_unreadable_key_beside_a_good_certificate(pair: Pair) -> None:
    """The modes of a key are the usual reason: who reads is named, and nobody is asked for a password."""
    with common_folder() as folder:
        paths = pair.write(folder)
        paths.key.chmod(0)
        with without_rights():
            found = problem(paths.fullchain, paths.key)
            assert not encrypted_key(sources(paths.fullchain, paths.key))
    assert found.where == KEY
    assert "cannot be read by the user" in found.what


def test_a_ca_certificate_as_leaf_is_a_warning(tmp_path: Path) -> None:
    """What `openssl req -x509` makes by default: it works with some clients only."""
    openssl("req", "-x509", *NEW_KEY, "-subj", "/CN=a.test", "-keyout", "a.key", "-out", "a.pem",
            "-addext", "subjectAltName=DNS:a.test", cwd=tmp_path)  # fmt: skip
    _, warnings = load(tmp_path / "a.pem", tmp_path / "a.key")
    (warning,) = warnings
    assert warning.startswith(f"{CERT}: the certificate CN=a.test in {tmp_path}/a.pem is a CA certificate (CA:TRUE)")
    command = warning.partition("add: ")[2].rstrip(".").split()
    openssl("req", "-x509", "-key", "a.key", "-subj", "/CN=a.test", "-addext", "subjectAltName=DNS:a.test",
            "-out", "b.pem", *command, cwd=tmp_path)  # fmt: skip
    assert load(tmp_path / "b.pem", tmp_path / "a.key")[1] == []


def test_no_san_is_a_warning(ca: Authority) -> None:
    """Clients have not looked at the common name for years."""
    pair = ca.leaf("a.test", san=False)
    _, warnings = load(pair.fullchain_pem, pair.key_pem)
    (warning,) = warnings
    assert "has no subjectAltName" in warning


def test_a_client_certificate_is_a_warning(ca: Authority) -> None:
    """The extended key usage of another purpose is refused by every client."""
    pair = ca.leaf("a.test", client=True)
    _, warnings = load(pair.fullchain_pem, pair.key_pem)
    (warning,) = warnings
    assert "lacks serverAuth" in warning


def test_a_broken_hash_is_an_error(tmp_path: Path) -> None:
    """OpenSSL refuses a leaf that a CA signed with SHA-1 when the server starts; so do we, in words."""
    openssl("req", "-x509", *NEW_KEY, "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem",
            cwd=tmp_path)  # fmt: skip
    openssl("req", "-new", *NEW_KEY, "-subj", "/CN=a.test", "-keyout", "a.key", "-out", "a.csr",
            cwd=tmp_path)  # fmt: skip
    openssl("x509", "-req", "-sha1", "-in", "a.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", "a.pem", cwd=tmp_path)  # fmt: skip
    found = problem(tmp_path / "a.pem", tmp_path / "a.key")
    assert found.where == CERT
    assert "it is signed with a hash that is broken (SHA-1 or MD5)" in found.what


@pytest.mark.parametrize("broken", ["leaf", "intermediate"])
def test_a_broken_hash_is_refused_whatever_openssl_thinks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Newer ones take it; on a leaf and on an intermediate it is refused all the same."""
    monkeypatch.setattr("tlsrun.certificates.checks.prove", lambda *given: None)
    hashes = {"leaf": ("-sha256", "-sha1"), "intermediate": ("-sha1", "-sha256")}[broken]
    openssl("req", "-x509", *NEW_KEY, "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem",
            cwd=tmp_path)  # fmt: skip
    (tmp_path / "ca.ext").write_text("basicConstraints=critical,CA:TRUE")
    for name, above, digest in (("sub", "ca", hashes[0]), ("a.test", "sub", hashes[1])):
        openssl("req", "-new", *NEW_KEY, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr",
                cwd=tmp_path)  # fmt: skip
        more = ["-extfile", "ca.ext"] if name == "sub" else []
        openssl("x509", "-req", digest, "-in", f"{name}.csr", "-CA", f"{above}.pem", "-CAkey", f"{above}.key",
                "-CAcreateserial", "-out", f"{name}.pem", *more, cwd=tmp_path)  # fmt: skip
    (tmp_path / "chain.pem").write_bytes((tmp_path / "a.test.pem").read_bytes() + (tmp_path / "sub.pem").read_bytes())
    found = problem(tmp_path / "chain.pem", tmp_path / "a.test.key")
    assert found.code == "TLS121"
    assert found.what.startswith(f"CN={'a.test' if broken == 'leaf' else 'sub'} in {tmp_path}/chain.pem is refused")


@pytest.mark.parametrize(
    ("at", "says", "remedy"),
    [
        (NOW, None, None),
        (NOW - DAY, None, None),
        (NOW + 30 * DAY, None, None),
        (NOW + 31 * DAY, "1 day ago", "certbot renew"),
        (NOW + 90 * DAY, "60 days ago", "certbot renew"),
        (NOW + 30 * DAY + datetime.timedelta(minutes=61), "1 hour ago", "certbot renew"),
        (NOW + 30 * DAY + datetime.timedelta(seconds=1), "1 second ago", "certbot renew"),
        (NOW + 30 * DAY + datetime.timedelta(milliseconds=1), "less than a second ago", "certbot renew"),
        (NOW - DAY - datetime.timedelta(minutes=3), "in 3 minutes", "this machine's clock says"),
        (NOW - 400 * DAY, "in 399 days", "Check the time"),
    ],
)
def test_validity(paths: Paths, at: datetime.datetime, says: str | None, remedy: str | None) -> None:
    """Expired and not yet valid are said with the moment, the distance, and what the clock here says."""
    identity, _ = load(paths.fullchain, paths.key)
    found = validity_problem(identity, at, source(CERT, paths.fullchain))
    if says is None or remedy is None:
        assert found is None
        return
    assert found is not None
    assert found.where == CERT
    assert f"the certificate CN=a.test in {paths.fullchain}" in found.what
    assert says in found.what
    assert remedy in found.remedy
    assert f"{at:%Y-%m-%d %H:%M} UTC" in found.remedy


def test_an_expired_intermediate_counts_too(paths: Paths, ca: Authority) -> None:
    """Clients refuse the whole chain with it."""
    pair = ca.leaf("a.test", not_after=NOW + 1000 * DAY)
    identity, _ = load(pair.fullchain_pem, pair.key_pem)
    found = validity_problem(identity, NOW + 500 * DAY, source(CERT, pair.fullchain_pem))
    assert found is not None
    assert found.what.startswith("the issuer CN=tlsrun test root intermediate 1, sent with the certificate CN=a.test")
    assert found.what.endswith("; clients that do not have another version of it refuse the certificate")
    assert found.code == "TLS138"


def test_an_issuer_that_clients_do_without_keeps_nobody_out(ca: Authority) -> None:
    """Further up it may be a root's cross-signature; and a known root may have signed the leaf itself."""
    deep = Authority("deep", intermediates=2, ends=[NOW + 10 * DAY, NOW + 900 * DAY])
    pair = deep.leaf("a.test", not_after=NOW + 800 * DAY)
    identity, _ = load(pair.fullchain_pem, pair.key_pem)
    place = source(CERT, pair.fullchain_pem)
    assert validity_problem(identity, NOW + 20 * DAY, place) is None
    assert validity_problem(identity, NOW + 950 * DAY, place) is not None
    pair = ca.leaf("a.test", not_after=NOW + 1000 * DAY)
    identity, _ = load(pair.fullchain_pem, pair.key_pem)
    assert validity_problem(identity, NOW + 500 * DAY, place, known_root=lambda issued: True) is None


def test_the_same_key_may_be_used_again(ca: Authority) -> None:
    """A certificate renewed for the same key is preferred in the order of the file."""
    key = make_key("ecdsa")
    old, new = ca.leaf("old.test", key=key), ca.leaf("new.test", key=key)
    identity, warnings = load(new.cert_pem + old.fullchain_pem, new.key_pem)
    assert identity.names == ("new.test",)
    assert len(warnings) == 1


def test_a_leaf_and_its_ca_may_share_a_key(ca: Authority) -> None:
    """The one that is no CA is the leaf, wherever it stands."""
    root, key = ca.line[-1]
    pair = ca.leaf("a.test", key=key)
    identity, _ = load(pair.chain_pem + pair.cert_pem, pair.key_pem)
    assert identity.names == ("a.test",)
    assert identity.chain == (root,)

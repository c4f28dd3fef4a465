"""Binary forms are read as what they would be in PEM: the same identity, the same words when something is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.certs import Authority, Paths
from tests.support.process import run
from tests.tls.loading import CERT, CHAIN, KEY, load, openssl, problem, problems, source, sources
from tlsrun.certificates.identity import IdentitySources, encrypted_key, load_identity
from tlsrun.certificates.material import read_material
from tlsrun.certificates.recognise import Form
from tlsrun.errors import CertificateError
from tlsrun.renewal.reload import identity_origin

SECRET = "correct horse"  # noqa: S105 -- of keys that are made for the run


def der(path: Path) -> Path:
    """The certificate in ``path`` in DER."""
    openssl("x509", "-in", path, "-outform", "DER", "-out", path.with_suffix(".der"))
    return path.with_suffix(".der")


def bundle(paths: Paths, *more: str, password: str = "", certificates: Path | None = None) -> Path:
    """A PKCS #12 bundle of a pair, as openssl writes it."""
    path = paths.key.with_name("both.p12")
    openssl("pkcs12", "-export", "-in", certificates or paths.fullchain, "-inkey", paths.key,
            "-passout", f"pass:{password}", "-out", path, *more)  # fmt: skip
    return path


def test_certificate_chain_and_key_in_der(paths: Paths) -> None:
    """Three binary files are as good as three in PEM."""
    key = paths.key.with_suffix(".der")
    openssl("pkey", "-in", paths.key, "-outform", "DER", "-out", key)
    identity, warnings = load(der(paths.cert), key, der(paths.chain))
    assert warnings == []
    assert identity.fullchain == paths.pair.fullchain_pem
    assert identity.key == paths.pair.key_pem
    assert read_material(source(CERT, der(paths.cert))).binary is Form.DER_CERTIFICATE
    assert read_material(source(KEY, key)).binary is Form.DER_KEY
    assert read_material(source(CERT, paths.cert)).binary is None


#: How openssl writes keys in DER.
DER_KEYS: dict[str, list[str]] = {
    "PKCS #8": ["pkcs8", "-topk8", "-nocrypt"],
    "SEC 1": ["ec"],
    "PKCS #8, PBES2": ["pkcs8", "-topk8", "-passout", f"pass:{SECRET}"],
    "PKCS #8, scrypt": ["pkcs8", "-topk8", "-scrypt", "-passout", f"pass:{SECRET}"],
    "PKCS #8, PBES1": ["pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", "-passout", f"pass:{SECRET}"],
}


@pytest.mark.parametrize("way", DER_KEYS)
def test_keys_in_der(paths: Paths, way: str) -> None:
    """Whatever the structure; an encrypted one needs its password, and says so."""
    key = paths.key.with_suffix(".der")
    openssl(*DER_KEYS[way], "-in", paths.key, "-outform", "DER", "-out", key)
    if "-passout" not in DER_KEYS[way]:
        assert load(paths.fullchain, key)[0].key == paths.pair.key_pem
        return
    assert encrypted_key(sources(paths.fullchain, key))
    assert load(paths.fullchain, key, password=SECRET.encode())[0].key == paths.pair.key_pem
    assert problem(paths.fullchain, key).what == f"the private key in {key} is encrypted, and no password was given"
    assert problem(paths.fullchain, key, password=b"wrong").code == "TLS113"


def test_an_rsa_key_in_pkcs1_der(ca: Authority, tmp_path: Path) -> None:
    """The old form of RSA keys."""
    paths = ca.leaf(key="rsa").write(tmp_path)
    key = tmp_path / "k.der"
    openssl("rsa", "-traditional", "-in", paths.key, "-outform", "DER", "-out", key)
    assert load(paths.fullchain, key)[0].key == paths.pair.key_pem


def test_a_bundle_alone(paths: Paths) -> None:
    """Certificate, chain and key out of one .p12; the key needs no setting of its own."""
    identity, warnings = load(bundle(paths))
    assert warnings == []
    assert identity.fullchain == paths.pair.fullchain_pem
    assert identity.key == paths.pair.key_pem


#: How bundles are protected: OpenSSL 3 and Java today; Windows and OpenSSL 1 before; Windows 2000 and macOS.
PROTECTIONS: dict[str, list[str]] = {
    "PBES2, SHA-256": [],
    "3DES, SHA-1": ["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"],
    "RC2 and 3DES": ["-legacy"],
    "certificates in the open": ["-certpbe", "NONE"],
    "no MAC": ["-nomac"],
}


@pytest.mark.parametrize("way", PROTECTIONS)
def test_a_bundle_with_a_password(paths: Paths, way: str) -> None:
    """Every usual protection opens with the password, which was not given in vain."""
    path = bundle(paths, *PROTECTIONS[way], password=SECRET)
    identity, warnings = load(path, password=SECRET.encode())
    assert warnings == []
    assert identity.fullchain == paths.pair.fullchain_pem
    assert identity.key == paths.pair.key_pem
    assert read_material(source(CERT, path), SECRET.encode()).opened


def test_a_bundle_that_stays_closed(paths: Paths) -> None:
    """No password, or another one, is said once, with the ways to give it; at a terminal it is asked for."""
    path = bundle(paths, password=SECRET)
    assert encrypted_key(sources(path))
    assert not encrypted_key(sources(path, password=SECRET.encode()))
    missing = problem(path)
    assert (missing.where, missing.code) == (CERT, "TLS112")
    assert missing.what == f"{path} is a PKCS #12 bundle (.pfx, .p12) with a password, and none was given"
    assert "--key-password-file" in missing.remedy
    wrong = problem(path, password=b"wrong")
    assert wrong.what == f"the password does not open {path}, a PKCS #12 bundle (.pfx, .p12)"
    assert SECRET not in str(wrong)


def test_a_password_in_vain_for_a_bundle(paths: Paths) -> None:
    """A bundle without one opens all the same, and the user learns that the key lies in the open."""
    _, warnings = load(bundle(paths), password=SECRET.encode())
    (warning,) = warnings
    assert warning.startswith(f"{CERT}: a password was given, but the private key in ")


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_bundle_for_the_certificate_and_a_key_beside_it(paths: Paths, encrypted: bool) -> None:
    """One password serves both, and is no surprise for a key without one."""
    path, key = bundle(paths, password=SECRET), paths.key
    if encrypted:
        key = paths.key.with_name("encrypted.pem")
        openssl("pkcs8", "-topk8", "-in", paths.key, "-passout", f"pass:{SECRET}", "-out", key)
    identity, warnings = load(path, key, password=SECRET.encode())
    assert warnings == []
    assert identity.key == paths.pair.key_pem


def test_a_bundle_as_key_and_as_chain(paths: Paths) -> None:
    """What a setting asks for is taken out of it."""
    path = bundle(paths, password=SECRET)
    assert load(paths.fullchain, path, password=SECRET.encode())[0].key == paths.pair.key_pem
    identity, _ = load(paths.cert, paths.key, path, password=SECRET.encode())
    assert identity.fullchain == paths.pair.fullchain_pem


def test_a_bundle_without_a_key(paths: Paths) -> None:
    """A trust store, as Java and Windows write them: the key lacks, as with a certificate in PEM."""
    path = bundle(paths, "-nokeys")
    assert problem(path).what == f"{path} holds a certificate and no private key, and no key was given"
    assert load(path, paths.key)[0].fullchain == paths.pair.fullchain_pem


def test_a_bundle_without_a_certificate(paths: Paths) -> None:
    """The other half."""
    path = bundle(paths, "-nocerts")
    assert problem(path, paths.key).what == f"{path} holds no certificate in PEM: it is a private key"
    assert load(paths.fullchain, path)[0].key == paths.pair.key_pem


def test_a_bundle_of_javas(paths: Paths, tmp_path: Path) -> None:
    """keytool's own order and attributes."""
    made = bundle(paths, "-name", "server", password=SECRET)
    other = tmp_path / "java.p12"
    if shutil.which("keytool") is None:
        pytest.skip("keytool is not installed")
    done = run(["keytool", "-importkeystore", "-srckeystore", made, "-srcstorepass", SECRET,
                "-destkeystore", other, "-deststoretype", "PKCS12", "-deststorepass", SECRET])  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert load(other, password=SECRET.encode())[0].fullchain == paths.pair.fullchain_pem


def _cut(data: bytes) -> bytes:
    return data[:-40]


def _changed(data: bytes) -> bytes:
    return data[:200] + bytes([data[200] ^ 1]) + data[201:]


@pytest.mark.parametrize("damage", [_cut, _changed])
def test_a_damaged_bundle(paths: Paths, damage: Callable[[bytes], bytes]) -> None:
    """It is refused in words; that it is the password, and not the file, cannot be told."""
    path = bundle(paths, password=SECRET)
    path.write_bytes(damage(path.read_bytes()))
    assert problem(path, password=SECRET.encode()).code in ("TLS113", "TLS107")


def test_swapped_in_der(paths: Paths) -> None:
    """Named the wrong way round, binary files are one problem too."""
    key = paths.key.with_suffix(".der")
    openssl("pkey", "-in", paths.key, "-outform", "DER", "-out", key)
    assert problem(key, der(paths.cert)).code == "TLS117"


def test_several_files_of_a_chain(paths: Paths) -> None:
    """Intermediates come from as many files as there are, in whatever order; each that is wrong is named."""
    long = Authority("long", intermediates=3)
    pair = long.leaf("a.test")
    folder = paths.cert.parent
    files = [folder / f"{number}.crt" for number in range(3)]
    for file, pem in zip(files, long.intermediate_pems, strict=True):
        file.write_bytes(pem)
    given = IdentitySources(
        cert=source(CERT, pair.cert_pem),
        key=source(KEY, pair.key_pem),
        chain=tuple(source(CHAIN, file) for file in (files[2], der(files[0]), files[1])),
    )
    identity = load_identity(given)
    assert identity.fullchain == pair.fullchain_pem
    assert [warning.code for warning in identity.warnings] == ["TLS131"]
    files[1].write_bytes(b"")
    files[2].unlink()
    with pytest.raises(CertificateError) as caught:
        load_identity(given)
    assert [problem.code for problem in caught.value.problems] == ["TLS101", "TLS105"]


def test_problems_come_together(paths: Paths) -> None:
    """A closed bundle does not hide what is wrong with the other files."""
    path = bundle(paths, password=SECRET)
    assert {one.where: one.code for one in problems(path, paths.key.with_name("no"), paths.key)} == {
        CERT: "TLS112", KEY: "TLS101", CHAIN: "TLS107",
    }  # fmt: skip


def test_a_bundle_is_renewed_while_it_serves(paths: Paths, ca: Authority) -> None:
    """All files of all shapes are watched, and read again with the same password."""
    path = bundle(paths, password=SECRET)
    origin = identity_origin(sources(path, None, paths.chain, password=SECRET.encode()))
    assert origin.files == (path, paths.chain)
    assert origin.load().certificate == paths.pair.certificate
    renewed = ca.leaf().write(paths.key.parent / "new")
    bundle(renewed, password=SECRET).replace(path)
    assert origin.load().certificate == renewed.pair.certificate

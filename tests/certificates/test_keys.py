"""Private keys are read, decrypted, or refused in words that never quote them."""

from __future__ import annotations

import ssl
import traceback
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import NoEncryption, PrivateFormat, load_pem_private_key

from tests.support.certs import PEM, Authority, Pair, key_pem
from tests.support.clients import openssl_s_client
from tests.tls.loading import CERT, KEY, load, openssl, problem, sources
from tests.tls.serving import served
from tlsrun.certificates.identity import encrypted_key, load_identity
from tlsrun.connections.server_context import ServerContext
from tlsrun.errors import CertificateError
from tlsrun.tls.context import create_context
from tlsrun.tls.policy import Policy

SECRET = b"correct horse"


def self_signed(folder: Path, *arguments: str) -> tuple[Path, Path]:
    """A key by `openssl genpkey`, and a certificate for it."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    openssl("genpkey", *arguments, "-out", key)
    openssl("req", "-x509", "-new", "-key", key, "-subj", "/CN=a.test", "-out", cert,
            "-addext", "subjectAltName=DNS:a.test",
            "-addext", "basicConstraints=critical,CA:FALSE")  # fmt: skip
    return cert, key


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "RSA 2048"),
        (["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "ECDSA P-256"),
        (["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "ECDSA P-384"),
        (["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"], "ECDSA P-521"),
        (["-algorithm", "ED25519"], "Ed25519"),
        (["-algorithm", "ED448"], "Ed448"),
        (["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"], "RSASSA-PSS 2048"),
    ],
)
def test_usable_types(tmp_path: Path, arguments: list[str], kind: str) -> None:
    """What TLS clients accept loads, and is named as people name it."""
    identity, warnings = load(*self_signed(tmp_path, *arguments))
    assert identity.key_type == kind
    assert warnings == []


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (
            ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
            "is ECDSA secp256k1, which TLS clients",
        ),
        (["-algorithm", "X25519"], "is X25519, which TLS clients do not accept"),
        (["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"], "is RSA 1024, which is too short"),
    ],
)
def test_unusable_types(pair: Pair, tmp_path: Path, arguments: list[str], kind: str) -> None:
    """What no client accepts is refused, with the command that makes a better key."""
    openssl("genpkey", *arguments, "-out", tmp_path / "key.pem")
    found = problem(pair.fullchain_pem, tmp_path / "key.pem")
    assert found.where == KEY
    assert kind in found.what
    assert "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out privkey.pem" in found.remedy


def test_dsa(pair: Pair, tmp_path: Path) -> None:
    """DSA left TLS long ago."""
    openssl("dsaparam", "-genkey", "-out", tmp_path / "key.pem", "2048")
    assert "is DSA, which TLS clients do not accept" in problem(pair.fullchain_pem, tmp_path / "key.pem").what


PSS = ["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-pkeyopt", "rsa_pss_keygen_md:sha256",
       "-pkeyopt", "rsa_pss_keygen_mgf1_md:sha256", "-pkeyopt", "rsa_pss_keygen_saltlen:32"]  # fmt: skip


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("arguments", [PSS[:4], PSS, ["-algorithm", "ED448"]], ids=["PSS", "PSS limited", "Ed448"])
def test_rare_kinds_are_served(tmp_path: Path, arguments: list[str], version: str) -> None:
    """A client gets the certificate; the key was handed on as the kind that it is."""
    cert, key = self_signed(tmp_path, *arguments)
    identity, _ = load(cert, key)
    context = create_context(identity, Policy(min_version=version, max_version=version), context_class=ServerContext)
    with served(context) as address:
        seen = openssl_s_client(address, cert, f"-tls{version.replace('.', '_')}", name="a.test")
    assert seen.verified, seen.output


@pytest.mark.parametrize("arguments", [PSS[:4], PSS], ids=["any", "limited"])
@pytest.mark.parametrize("form", ["encrypted", "DER", "PKCS #12"])
def test_rsa_pss_in_every_form(tmp_path: Path, arguments: list[str], form: str) -> None:
    """It stays a key for RSASSA-PSS alone, whatever it was read from."""
    cert, key = self_signed(tmp_path, *arguments)
    plain, _ = load(cert, key)
    secret = f"pass:{SECRET.decode()}"
    if form == "encrypted":
        openssl("pkcs8", "-topk8", "-in", key, "-out", tmp_path / "k", "-passout", secret)
        found, _ = load(cert, tmp_path / "k", password=SECRET)
    elif form == "DER":
        openssl("pkcs8", "-topk8", "-nocrypt", "-in", key, "-outform", "DER", "-out", tmp_path / "k")
        found, _ = load(cert, tmp_path / "k")
    else:
        openssl("pkcs12", "-export", "-in", cert, "-inkey", key, "-out", tmp_path / "k", "-passout", secret)
        found, _ = load(tmp_path / "k", password=SECRET)
    assert found.key_type == "RSASSA-PSS 2048"
    (tmp_path / "out.key").write_bytes(found.key)
    said = openssl("pkey", "-in", tmp_path / "out.key", "-noout", "-text")
    assert said == openssl("pkey", "-in", key, "-noout", "-text")
    assert plain.key == key.read_bytes()


def test_rsa_and_rsa_pss_are_two_kinds(tmp_path: Path) -> None:
    """A plain key with a certificate for RSASSA-PSS is no pair, though the numbers are the same."""
    cert, key = self_signed(tmp_path, *PSS)
    plain = load_pem_private_key(key.read_bytes(), None).private_bytes(PEM, PrivateFormat.PKCS8, NoEncryption())
    found = problem(cert, plain)
    assert found.code == "TLS111"
    assert "the public key of the certificate CN=a.test is RSASSA-PSS 2048" in found.what
    assert "that of the key is RSA 2048" in found.what


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO >= (3, 5), reason="this OpenSSL knows ML-DSA")
@pytest.mark.parametrize("number", [44, 65, 87])
@pytest.mark.parametrize("password", [None, SECRET], ids=["plain", "encrypted"])
def test_ml_dsa_is_named(ca: Authority, number: int, password: bytes | None) -> None:
    """Where OpenSSL does not know it, the kind is said, and what it takes."""
    mldsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
    private = getattr(mldsa, f"MLDSA{number}PrivateKey").generate()
    pair = ca.leaf("a.test", key=private)
    data = key_pem(private, password)
    found = problem(pair.fullchain_pem, data, password=password)
    assert f"the key of CN=a.test in the text given is ML-DSA-{number}, which OpenSSL knows from 3.5 on" in found.what
    assert ssl.OPENSSL_VERSION in found.what
    assert found.code == "TLS125"
    assert problem(ca.leaf().fullchain_pem, data, password=password).code == "TLS111"


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO < (3, 5), reason="this OpenSSL does not know ML-DSA")
def test_ml_dsa_is_served_as_it_is(tmp_path: Path) -> None:
    """Where OpenSSL knows it, the key is handed on as OpenSSL wrote it, and the pair is proved."""
    cert, key = self_signed(tmp_path, "-algorithm", "ML-DSA-65")
    identity = load_identity(sources(cert.read_bytes(), key.read_bytes()))
    assert identity.key == key.read_bytes()
    assert identity.key_type == "ML-DSA-65"


#: How openssl encrypts keys, new ways and old.
ENCRYPTIONS = {
    "PKCS #8, PBES2 AES-256": ["pkcs8", "-topk8", "-v2", "aes-256-cbc"],
    "PKCS #8, PBES2 3DES": ["pkcs8", "-topk8", "-v2", "des3"],
    "PKCS #8, scrypt": ["pkcs8", "-topk8", "-scrypt"],
    "PKCS #8, PBES1": ["pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES"],
    "traditional AES-256": ["ec", "-aes256"],
    "traditional 3DES": ["ec", "-des3"],
}


@pytest.mark.parametrize("way", ENCRYPTIONS)
def test_encrypted_keys(pair: Pair, tmp_path: Path, way: str) -> None:
    """Every usual encryption opens with the password, and says what lacks or is wrong without it."""
    paths = pair.write(tmp_path)
    key = tmp_path / "encrypted.pem"
    openssl(*ENCRYPTIONS[way], "-in", paths.key, "-out", key, "-passout", f"pass:{SECRET.decode()}")
    identity, warnings = load(paths.fullchain, key, password=SECRET)
    assert identity.key == pair.key_pem
    assert warnings == []
    assert encrypted_key(sources(paths.fullchain, key))
    assert not encrypted_key(sources(paths.fullchain, key, password=SECRET))

    missing = problem(paths.fullchain, key)
    assert missing.where == KEY
    assert missing.what == f"the private key in {key} is encrypted, and no password was given"
    for spelling in ("TLS_KEY_PASSWORD", "TLSRUN_KEY_PASSWORD", "--key-password-file"):
        assert spelling in missing.remedy
    assert problem(paths.fullchain, key, password=b"") == missing
    wrong = problem(paths.fullchain, key, password=b"wrong")
    assert wrong.what == f"the password does not open the private key in {key}"


def test_a_password_in_vain_is_a_warning(pair: Pair) -> None:
    """The key loads, and the user learns that it lies there in the open."""
    _, warnings = load(pair.fullchain_pem, pair.key_pem, password=SECRET)
    (warning,) = warnings
    assert warning.startswith(f"{KEY}: a password was given, but the private key in the text given is not encrypted")


def test_several_keys(pair: Pair, ca: Authority, tmp_path: Path) -> None:
    """Which one is meant is not guessed; the same one twice is one."""
    key = tmp_path / "keys.pem"
    key.write_bytes(pair.key_pem + ca.leaf(key="rsa").key_pem)
    assert problem(pair.fullchain_pem, key).what == f"{key} holds 2 private keys (PRIVATE KEY, PRIVATE KEY)"
    key.write_bytes(pair.key_pem * 2)
    load(pair.fullchain_pem, key)


def test_damaged_keys_are_never_quoted(pair: Pair, tmp_path: Path) -> None:
    """Neither the message nor the chain of exceptions shows a part of the key."""
    lines = pair.key_pem.splitlines()
    for broken in (
        b"\n".join([lines[0], lines[1][:-8], *lines[2:]]),
        pair.key_pem.replace(lines[1], b"!" + lines[1][1:]),
        b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
    ):
        with pytest.raises(CertificateError) as caught:
            load_identity(sources(pair.fullchain_pem, broken))
        (found,) = caught.value.problems
        assert found.where == KEY
        assert found.what == "the private key in the text given is damaged"
        shown = "".join(traceback.format_exception(caught.value))
        assert lines[1].decode()[8:24] not in shown


def test_no_key_at_all(pair: Pair) -> None:
    """A certificate alone says which setting lacks."""
    found = problem(pair.fullchain_pem)
    assert found.where == CERT
    assert found.what == "the text given holds a certificate and no private key, and no key was given"
    assert "TLS_KEY (--key)" in found.remedy


def test_encrypted_key_is_tolerant(pair: Pair, tmp_path: Path) -> None:
    """Whoever asks for a password first needs no error: that comes when the key is loaded."""
    assert not encrypted_key(sources(tmp_path / "none.pem"))
    assert not encrypted_key(sources(pair.cert_pem, tmp_path))
    assert not encrypted_key(sources(pair.cert_pem, pair.key_pem))
    assert not encrypted_key(sources(b"hello", b"\x30\x82"))

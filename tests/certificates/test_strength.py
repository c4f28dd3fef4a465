"""Signatures and keys that are too weak: our own look says so, in the same words on every OpenSSL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tls.loading import load, openssl, problems

EC = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
P224 = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp224r1")
P192 = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime192v1")
RSA = ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
SHORT_RSA = ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024")
PSS = ("-sigopt", "rsa_padding_mode:pss")


@pytest.fixture
def issue(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """A leaf below an intermediate below a root: the files of chain and key."""

    def make(
        *digest: str, key: tuple[str, ...] = EC, below: tuple[str, ...] = EC, above: str = "-sha256"
    ) -> tuple[Path, Path]:
        (tmp_path / "ca.ext").write_text("basicConstraints=critical,CA:TRUE")
        (tmp_path / "leaf.ext").write_text("subjectAltName=DNS:a.test\nextendedKeyUsage=serverAuth")
        for name, kind in (("root", RSA), ("sub", below), ("leaf", key)):
            openssl("genpkey", *kind, "-out", f"{name}.key", cwd=tmp_path)
        openssl("req", "-x509", "-key", "root.key", "-subj", "/CN=root", "-out", "root.pem", cwd=tmp_path)
        for name, issuer, how in (("sub", "root", (above,)), ("leaf", "sub", digest)):
            openssl("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-out", f"{name}.csr", cwd=tmp_path)
            openssl("x509", "-req", *how, "-in", f"{name}.csr", "-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key",
                    "-CAcreateserial", "-extfile", f"{'leaf' if name == 'leaf' else 'ca'}.ext",
                    "-out", f"{name}.pem", cwd=tmp_path)  # fmt: skip
        chain = tmp_path / "chain.pem"
        chain.write_bytes((tmp_path / "leaf.pem").read_bytes() + (tmp_path / "sub.pem").read_bytes())
        return chain, tmp_path / "leaf.key"

    return make


@pytest.mark.parametrize(
    ("digest", "more", "code", "says"),
    [
        (["-sha1"], {}, "TLS121", "it is signed with a hash that is broken (SHA-1 or MD5): SHA1"),
        (["-md5"], {"below": RSA}, "TLS121", "it is signed with a hash that is broken (SHA-1 or MD5): MD5"),
        (["-sha1", *PSS], {"below": RSA}, "TLS121", "it is signed with a hash that is broken (SHA-1 or MD5): SHA1"),
        (["-ripemd160"], {"below": RSA}, "TLS165", "it is signed with RIPEMD-160, which clients do not know"),
        (["-sha3-256"], {}, "TLS165", "it is signed with SHA3-256, which clients do not know"),
        (["-sha3-512"], {"below": RSA}, "TLS165", "it is signed with SHA3-512, which clients do not know"),
    ],
    ids=["SHA-1", "MD5", "SHA-1, RSASSA-PSS", "RIPEMD-160", "SHA-3", "SHA-3, RSA"],
)
def test_a_leaf(
    issue: Callable[..., tuple[Path, Path]], digest: list[str], more: dict[str, tuple[str, ...]], code: str, says: str
) -> None:
    """One problem, which names the certificate and the file."""
    chain, key = issue(*digest, **more)
    (found,) = problems(chain, key)
    assert found.code == code
    assert found.what.startswith(f"CN=leaf in {chain} is refused: {says}")


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        ({"above": "-sha1"}, "TLS121", "it is signed with a hash that is broken (SHA-1 or MD5): SHA1"),
        ({"above": "-ripemd160"}, "TLS165", "it is signed with RIPEMD-160"),
        ({"below": SHORT_RSA}, "TLS120", "its key is too short (RSA 1024)"),
        ({"below": P192}, "TLS120", "its key is too short (ECDSA secp192r1)"),
    ],
    ids=["SHA-1", "RIPEMD-160", "RSA 1024", "P-192"],
)
def test_an_issuer(issue: Callable[..., tuple[Path, Path]], more: dict[str, object], code: str, says: str) -> None:
    """What is sent with the leaf counts as much."""
    chain, key = issue("-sha256", **more)
    (found,) = problems(chain, key)
    assert found.code == code
    assert found.what.startswith(f"CN=sub in {chain} is refused: {says}")


@pytest.mark.parametrize(
    ("digest", "more"),
    [
        (["-sha224"], {}),
        (["-sha512"], {"below": RSA}),
        (["-sha384", *PSS], {"below": RSA}),
        (["-sha256"], {"below": P224}),
        ([], {"below": ("-algorithm", "ED25519")}),
        ([], {"below": ("-algorithm", "ED448")}),
    ],
    ids=["SHA-224", "SHA-512", "SHA-384, RSASSA-PSS", "P-224", "Ed25519", "Ed448"],
)
def test_what_is_sound_is_served(
    issue: Callable[..., tuple[Path, Path]], digest: list[str], more: dict[str, tuple[str, ...]]
) -> None:
    """By OpenSSL too, which has the last word."""
    identity, _ = load(*issue(*digest, **more))
    assert len(identity.chain) == 1

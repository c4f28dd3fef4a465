"""One file out of several: in order, nothing besides, and every change said."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.certs import Authority, Pair
from tests.tls.loading import NEW_KEY, openssl
from tlsrun.certificates.bundle import Bundle, make_bundle
from tlsrun.certificates.sources import Source
from tlsrun.errors import CertificateError, Problem


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("root", intermediates=2)


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.leaf("a.test")


def bundle(folder: Path, *files: bytes, password: bytes | None = None) -> Bundle:
    """Of files named as a.crt, b.crt, …"""
    sources = []
    for name, data in zip("abcdef", files, strict=False):
        (folder / f"{name}.crt").write_bytes(data)
        sources.append(Source(given_by=f"{name}.crt", path=folder / f"{name}.crt"))
    return make_bundle(sources, password)


def refusal(folder: Path, *files: bytes) -> list[Problem]:
    with pytest.raises(CertificateError) as caught:
        bundle(folder, *files)
    return list(caught.value.problems)


def test_nothing_to_mend(pair: Pair, tmp_path: Path) -> None:
    """A file that is right comes out as it was."""
    made = bundle(tmp_path, pair.fullchain_pem)
    assert made.pem == pair.fullchain_pem
    assert made.changes == ()
    assert bundle(tmp_path, pair.cert_pem, pair.chain_pem).changes == ()


def test_all_at_once(pair: Pair, authority: Authority, ca: Authority, tmp_path: Path) -> None:
    """What a CA's bundle is like: upside down, glued, with the root, a copy, and one of somebody else's."""
    second, first = authority.intermediate_pems
    ca_bundle = authority.root_pem + first.rstrip() + second + ca.root_pem + first
    made = bundle(tmp_path, pair.cert_pem, ca_bundle)
    assert made.pem == pair.fullchain_pem
    assert made.warnings == ()
    assert made.changes == (
        "two certificates stood on one line in b.crt; a line break is between them now",
        "copies are left out (CN=root intermediate 1)",
        "the root is left out (CN=root): clients must have it themselves",
        "certificates that signed none of the others are left out (CN=tlsrun test root)",
        "the order was CN=a.test, CN=root intermediate 1, CN=root intermediate 2; "
        "it is CN=a.test, CN=root intermediate 2, CN=root intermediate 1 now",
    )


def test_the_leaf_is_found_anywhere(pair: Pair, tmp_path: Path) -> None:
    """In the last file, too."""
    assert bundle(tmp_path, pair.chain_pem, pair.cert_pem).pem == pair.fullchain_pem


def test_openssl_takes_it(pair: Pair, authority: Authority, tmp_path: Path) -> None:
    """The first certificate verifies with what stands behind it."""
    (tmp_path / "out.pem").write_bytes(bundle(tmp_path, pair.chain_pem + pair.cert_pem).pem)
    root = authority.write(tmp_path)
    verified = openssl("verify", "-CAfile", root, "-untrusted", tmp_path / "out.pem", tmp_path / "out.pem")
    assert verified.endswith(": OK\n")


def test_text_keys_and_line_breaks_are_left_out(pair: Pair, tmp_path: Path) -> None:
    """A key never gets into the file."""
    made = bundle(tmp_path, pair.key_pem + pair.cert_pem, b"subject=x\n" + pair.chain_pem.replace(b"\n", b"\r\n"))
    assert made.pem == pair.fullchain_pem
    assert made.changes == (
        "the private key in a.crt is left out",
        "b.crt had other line breaks, or text around the certificates; that is left out",
    )


def test_binary_files(pair: Pair, authority: Authority, tmp_path: Path) -> None:
    """DER and PKCS #12 become PEM."""
    der = authority.line[1][0].public_bytes(Encoding.DER)
    paths = pair.write(tmp_path / "pair")
    openssl("pkcs12", "-export", "-in", paths.cert, "-inkey", paths.key, "-certfile", paths.chain,
            "-passout", "pass:secret", "-out", tmp_path / "p12")  # fmt: skip
    made = bundle(tmp_path, (tmp_path / "p12").read_bytes(), der, password=b"secret")
    assert made.pem == pair.fullchain_pem
    assert made.changes == (
        "a.crt was a PKCS #12 bundle (.pfx, .p12); it is PEM now",
        "the private key in a.crt is left out",
        "b.crt was a certificate in DER (binary); it is PEM now",
        "copies are left out (CN=root intermediate 1)",
    )


def test_a_missing_issuer_is_a_warning(pair: Pair, tmp_path: Path) -> None:
    """The file is of use only with it."""
    made = bundle(tmp_path, pair.cert_pem)
    assert made.pem == pair.cert_pem
    (warning,) = made.warnings
    assert "does not hold CN=root intermediate 2" in warning.what


def test_several_servers(pair: Pair, authority: Authority, tmp_path: Path) -> None:
    """Which one is meant is not guessed."""
    (found,) = refusal(tmp_path, pair.fullchain_pem, authority.leaf("b.test").cert_pem)
    assert found.what == "there are several servers' certificates (CN=a.test, CN=b.test)"


def test_a_self_signed_one(authority: Authority, tmp_path: Path) -> None:
    """A certificate that may sign and signed no other is the server's."""
    openssl("req", "-x509", *NEW_KEY, "-subj", "/CN=self", "-keyout", "k.pem", "-out", "c.pem", cwd=tmp_path)
    pem = (tmp_path / "c.pem").read_bytes()
    assert bundle(tmp_path, pem).pem == pem
    second, first = authority.intermediate_pems
    assert bundle(tmp_path, first + second).pem == second + first


def test_every_problem_is_said(pair: Pair, tmp_path: Path) -> None:
    """Of all files at once."""
    found = refusal(tmp_path, pair.key_pem, b"", pair.cert_pem)
    assert [one.where for one in found] == ["a.crt", "b.crt"]

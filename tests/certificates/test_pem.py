"""Blocks of PEM are found in whatever editors, tools and environments make of a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509

from tests.support.certs import Pair
from tests.tls.loading import openssl
from tlsrun.certificates.pem import Pem, parse_pem


@pytest.fixture(scope="module")
def pair(localhost_cert) -> Pair:
    return localhost_cert.pair


def _glue(pem: bytes) -> bytes:
    return pem.replace(b"-----\n-----BEGIN", b"----------BEGIN").strip()


DRESSES = {
    "as it is": lambda pem: pem,
    "CRLF": lambda pem: pem.replace(b"\n", b"\r\n"),
    "old Mac line ends": lambda pem: pem.replace(b"\n", b"\r"),
    "a UTF-8 byte order mark": lambda pem: b"\xef\xbb\xbf" + pem,
    "UTF-16 from PowerShell": lambda pem: pem.decode().encode("utf-16"),
    "indented as in YAML": lambda pem: b"".join(b"    " + line for line in pem.splitlines(keepends=True)),
    "no line break at the end": lambda pem: pem.rstrip(),
    "comments": lambda pem: b"# mine\n\n" + pem.replace(b"-----BEGIN", b"\n s=/CN=x\n-----BEGIN"),
    "line breaks spelled out": lambda pem: pem.replace(b"\n", b"\\n"),
    "CRLF spelled out": lambda pem: pem.replace(b"\n", b"\\r\\n"),
    "all on one line": lambda pem: pem.replace(b"\n", b" "),
    "trailing white space": lambda pem: pem.replace(b"\n", b" \t\n"),
    "glued": _glue,
}


@pytest.mark.parametrize("dress", DRESSES)
def test_blocks_are_found_whatever_the_dress(pair: Pair, dress: str) -> None:
    """The same certificates come out of every form that a text may have taken on its way."""
    found = parse_pem(DRESSES[dress](pair.fullchain_pem))
    assert [block.der for block in found.certificates] == [
        block.der for block in parse_pem(pair.fullchain_pem).certificates
    ]
    assert len(found.blocks) == 2
    assert found.unfinished == ()


def test_a_block_is_written_as_openssl_reads_it(pair: Pair, tmp_path: Path) -> None:
    """What was mangled is valid PEM again."""
    (block,) = parse_pem(pair.cert_pem.replace(b"\n", b" ")).blocks
    assert block.pem == pair.cert_pem
    assert x509.load_pem_x509_certificate(block.pem) == pair.certificate
    (tmp_path / "c.pem").write_bytes(block.pem)
    openssl("x509", "-in", tmp_path / "c.pem", "-noout")


@pytest.mark.parametrize(
    ("between", "glued"), [(b"", True), (b"  ", True), (b"\n", False), (b"\r\n", False), (b"\r", False)]
)
def test_glued_is_what_has_no_line_break_between(pair: Pair, between: bytes, glued: bool) -> None:
    """Only an END and a BEGIN on one line count as glued."""
    assert parse_pem(pair.cert_pem.strip() + between + pair.chain_pem).glued is glued


def test_a_block_without_end_is_unfinished(pair: Pair) -> None:
    """A cut-off block is named and does not swallow the next one."""
    found = parse_pem(pair.cert_pem[:200] + b"\n" + pair.chain_pem)
    assert found.unfinished == ("CERTIFICATE",)
    assert len(found.certificates) == 1
    assert parse_pem(pair.key_pem[:100]).unfinished == ("PRIVATE KEY",)
    assert parse_pem(b"-----BEGIN A-----\nAA==\n-----END B-----\n") == Pem(unfinished=("A",))
    assert parse_pem(b"-----END A-----\n") == Pem()


def test_damaged_base64_is_said_when_it_is_decoded(pair: Pair) -> None:
    """Finding blocks never fails; decoding one does."""
    (block,) = parse_pem(pair.cert_pem.replace(b"MII", b"M!I", 1)).blocks
    with pytest.raises(ValueError, match="base64"):
        _ = block.der


def test_bag_attributes_of_pkcs12_do_not_disturb(pair: Pair, tmp_path: Path) -> None:
    """The output of `openssl pkcs12` can be used as it is."""
    paths = pair.write(tmp_path)
    bundle = tmp_path / "bundle.p12"
    openssl("pkcs12", "-export", "-in", paths.fullchain, "-inkey", paths.key, "-name", r"a\name", "-passout",
            "pass:secret", "-out", bundle)  # fmt: skip
    text = openssl("pkcs12", "-in", bundle, "-nodes", "-passin", "pass:secret")
    assert "Bag Attributes" in text
    found = parse_pem(text.encode())
    assert len(found.certificates) == 2
    assert len(found.keys) == 1


def test_traditional_encryption_is_seen_and_kept(tmp_path: Path) -> None:
    """The headers that say how OpenSSL's old format is encrypted stay with the block."""
    text = openssl("genrsa", "-traditional", "-aes128", "-passout", "pass:secret", "2048")
    (block,) = parse_pem(text.encode()).blocks
    assert block.is_key
    assert block.is_encrypted
    assert block.headers[0] == "Proc-Type: 4,ENCRYPTED"
    assert block.pem == text.encode()


def test_keys_are_counted_once() -> None:
    """The same key twice is one key; EC PARAMETERS are none."""
    text = openssl("ecparam", "-name", "prime256v1", "-genkey").encode()
    found = parse_pem(text + text)
    assert found.labels == {"EC PARAMETERS", "EC PRIVATE KEY"}
    assert len(found.keys) == 1
    assert not found.keys[0].is_encrypted


def test_no_key_shows_in_a_repr(pair: Pair) -> None:
    """What is logged by accident holds no key."""
    shown = repr(parse_pem(pair.key_pem))
    assert "PRIVATE KEY" in shown
    assert pair.key_pem.splitlines()[1].decode()[:20] not in shown


def test_what_is_no_pem_has_no_blocks() -> None:
    """Anything else is an empty result, not an error."""
    assert parse_pem(b"") == parse_pem(b"hello") == parse_pem(bytes(range(256))) == Pem()

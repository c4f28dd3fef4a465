"""A file of another form is named for what it is, and the command that is proposed really converts it."""

from __future__ import annotations

import base64
import shlex
from pathlib import Path

import pytest

from tests.support.certs import Pair, Paths
from tests.support.process import run
from tests.tls.loading import CERT, KEY, load, openssl, problem


def follow(remedy: str, folder: Path) -> None:
    """Do what a remedy says after its colon, as a user would."""
    command = remedy.partition(": ")[2]
    done = run(shlex.split(command[command.index("openssl") :].rstrip(".")), cwd=folder)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_pkcs7(paths: Paths, tmp_path: Path, form: str) -> None:
    """The command for a .p7b gives the whole chain."""
    bundle = tmp_path / "c.p7b"
    openssl("crl2pkcs7", "-nocrl", "-certfile", paths.fullchain, "-outform", form, "-out", bundle)
    found = problem(bundle, paths.key)
    assert "is a PKCS #7 bundle" in found.what
    follow(found.remedy, tmp_path)
    identity, _ = load(tmp_path / "fullchain.pem", paths.key)
    assert len(identity.chain) == 1
    assert "never holds a key" in problem(paths.fullchain, bundle).remedy


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_signing_request(paths: Paths, tmp_path: Path, form: str) -> None:
    """A CSR is told from a certificate."""
    openssl("req", "-new", "-key", paths.key, "-subj", "/CN=a.test", "-outform", form, "-out", tmp_path / "a.csr")
    found = problem(tmp_path / "a.csr", paths.key)
    assert "is a certificate signing request (CSR)" in found.what
    if form == "PEM":
        follow(found.remedy, tmp_path)
        load(tmp_path / "cert.pem", paths.key)
    assert "signing request" in problem(paths.fullchain, tmp_path / "a.csr").what


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_public_key(paths: Paths, tmp_path: Path, form: str) -> None:
    """A public key is neither a certificate nor a private key."""
    openssl("pkey", "-in", paths.key, "-pubout", "-outform", form, "-out", tmp_path / "pub")
    assert "is a public key" in problem(tmp_path / "pub", paths.key).what
    assert "is a public key" in problem(paths.fullchain, tmp_path / "pub").what


def test_trusted_certificate(paths: Paths, tmp_path: Path) -> None:
    """OpenSSL's own extended form converts by the command that is said."""
    openssl("x509", "-in", paths.cert, "-addtrust", "serverAuth", "-trustout", "-out", tmp_path / "t.pem")
    found = problem(tmp_path / "t.pem", paths.key)
    assert "TRUSTED CERTIFICATE" in found.what
    follow(found.remedy, tmp_path)
    load(tmp_path / "cert.pem", paths.key, paths.chain)


def test_ssh_keys(paths: Paths, tmp_path: Path) -> None:
    """A key of ssh-keygen is named, private or public, and a private one converts as is said."""
    ssh = tmp_path / "id"
    assert run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", ssh]).returncode == 0
    found = problem(paths.fullchain, ssh)
    assert "is an OpenSSH private key" in found.what
    assert run([*shlex.split(found.remedy[found.remedy.index("ssh-keygen") :].replace("COPY", str(ssh))),
                "-N", ""]).returncode == 0  # fmt: skip
    assert "does not match the certificate" in problem(paths.fullchain, ssh).what
    assert "is an OpenSSH public key" in problem(paths.fullchain, tmp_path / "id.pub").what
    assert "is an OpenSSH public key" in problem(tmp_path / "id.pub", paths.key).what


def test_swapped(paths: Paths) -> None:
    """Certificate and key the wrong way round are one problem of both settings."""
    found = problem(paths.key, paths.fullchain)
    assert found.where == f"{CERT} and {KEY}"
    assert found.what == f"the two are swapped: {paths.key} holds a private key, and {paths.fullchain} a certificate"


def test_the_same_file_twice_is_not_swapped(paths: Paths) -> None:
    """A certificate named as the key too is a missing key; a key named twice a missing certificate."""
    found = problem(paths.fullchain, paths.fullchain)
    assert found.where == KEY
    assert found.what == f"{paths.fullchain} holds no private key in PEM: it is a certificate"
    found = problem(paths.key, paths.key)
    assert found.where == CERT
    assert found.what == f"{paths.key} holds no certificate in PEM: it is a private key"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"<!DOCTYPE html><html></html>", "is a web page (HTML)"),
        (b"\xfe\xed\xfe\xed\x00\x00\x00\x02", "is a Java keystore"),
        (b"hello", "no line says -----BEGIN"),
        (b"\x30\x82\x00\x01", "no line says -----BEGIN"),
        (b"\x30", "no line says -----BEGIN"),
        (b"-----BEGIN X509 CRL-----\nAA==\n-----END X509 CRL-----\n", "is PEM of something else"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB", "is cut off, a BEGIN line has no END line"),
        (b"-----BEGIN PRIVATE KEY-----\nMIIB", "is cut off, a BEGIN line has no END line"),
    ],
)
def test_other_files(paths: Paths, tmp_path: Path, content: bytes, what: str) -> None:
    """Whatever was named by mistake is said as far as it can be told."""
    (tmp_path / "odd").write_bytes(content)
    assert what in problem(tmp_path / "odd", paths.key).what
    assert what in problem(paths.fullchain, tmp_path / "odd").what
    assert what in problem(content, paths.key).what


def test_pem_in_base64(paths: Paths, tmp_path: Path) -> None:
    """A value copied out of a Kubernetes secret is encoded once more, and decodes as is said."""
    (tmp_path / "c").write_bytes(base64.b64encode(paths.pair.fullchain_pem))
    found = problem(tmp_path / "c", paths.key)
    assert "encoded in base64 once more" in found.what
    assert found.remedy == f"Decode it: base64 -d {tmp_path}/c > fullchain.pem"


def test_a_command_for_text_names_a_file(pair: Pair) -> None:
    """Text that was given directly has no path to put into the command."""
    text = pair.cert_pem.replace(b"CERTIFICATE", b"PKCS7")
    assert "-in FILE -print_certs" in problem(text, pair.key_pem).remedy

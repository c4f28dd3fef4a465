"""A root is known by its certificate alone, and by the names that mkcert and we give it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.certs import NOW, Authority
from tests.tls.loading import openssl
from tlsrun.development.issue import make_authority
from tlsrun.errors import CertificateError
from tlsrun.trust import Root, read_root


def test_the_key_is_not_read(root: Root) -> None:
    """It may be away, or closed."""
    root.path.with_name("rootCA-key.pem").unlink()
    again = read_root(root.path)
    assert again == root
    assert again.title.startswith("tlsrun ")
    assert b"PRIVATE" not in again.pem


def test_names(root: Root) -> None:
    """Ours first; mkcert's for the case that it installed this CA. The number is the serial in decimal, as mkcert's."""
    number = root.certificate.serial_number
    assert root.names == (f"tlsrun development CA {number}", f"mkcert development CA {number}")
    assert root.file_name == f"tlsrun_development_CA_{number}"


def test_a_ca_of_somebody_elses(tmp_path: Path) -> None:
    """In $CAROOT any CA may lie; its name becomes a file's name without surprises."""
    path = Authority("Acme / Büro").write(tmp_path)
    other = read_root(path)
    assert other.names[0] == f"Acme / Büro {other.certificate.serial_number}"
    assert other.file_name == f"Acme___B_ro_{other.certificate.serial_number}"


def test_is_in(root: Root, tmp_path: Path) -> None:
    """Found among others in PEM, glued or not, and as the one in DER; another of the same name is not it."""
    other = make_authority("me@host", now=NOW).pem
    assert root.is_in(other + b"# a comment\n" + root.pem)
    assert root.is_in(other.strip() + root.pem)
    assert root.is_in(root.der)
    assert not root.is_in(other)
    assert not root.is_in(b"")


def test_the_thumbprint_is_openssls(root: Root) -> None:
    """As macOS and Windows show it."""
    said = openssl("x509", "-in", root.path, "-noout", "-fingerprint", "-sha1")
    assert said.rpartition("=")[2].strip().replace(":", "") == root.sha1


def test_damage_is_said(tmp_path: Path) -> None:
    """As for every other certificate."""
    (tmp_path / "rootCA.pem").write_bytes(b"hello")
    with pytest.raises(CertificateError, match="the development CA: .* holds no certificate"):
        read_root(tmp_path / "rootCA.pem")

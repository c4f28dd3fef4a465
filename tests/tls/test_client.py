"""Whose certificates clients may show: a file, a folder, text, and revocation lists."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.certs import Authority
from tests.tls.test_distrust import crl
from tlsrun.certificates.sources import Source
from tlsrun.errors import CertificateError
from tlsrun.tls import cloudflare
from tlsrun.tls.client import ClientSources, client_origin, load_client_auth
from tlsrun.tls.origin import Slot

ONE, TWO = Authority("one"), Authority("two")


def sources(ca: Path | bytes, lists: Path | bytes | None = None) -> ClientSources:
    """As the settings give them."""

    def source(value: Path | bytes) -> Source:
        if isinstance(value, bytes):
            return Source(given_by="--client-ca", text=value)
        return Source(given_by="--client-ca", path=value)

    return ClientSources(ca=source(ca), mode="required", crl=None if lists is None else source(lists))


def test_a_file_a_folder_and_text(tmp_path: Path) -> None:
    """All authorities of a folder, by name; files with other endings are passed over."""
    (tmp_path / "b.pem").write_bytes(ONE.root_pem)
    (tmp_path / "a.crt").write_bytes(TWO.root_pem)
    (tmp_path / "README").write_text("words")
    assert load_client_auth(sources(ONE.root_pem)).ca == ONE.root_pem
    assert load_client_auth(sources(tmp_path / "b.pem")).ca == ONE.root_pem
    assert load_client_auth(sources(tmp_path)).ca == TWO.root_pem + b"\n" + ONE.root_pem


def test_revocation_lists(tmp_path: Path) -> None:
    """They are part of what is read, and watched."""
    path = tmp_path / "crl.pem"
    path.write_bytes(crl(ONE, 1))
    assert load_client_auth(sources(ONE.root_pem, path)).crl == path.read_bytes()
    assert client_origin(sources(ONE.root_pem, path)).files == (path,)


def test_a_folder_is_watched(tmp_path: Path) -> None:
    """An authority that is laid into the folder later is read, and so is a change of that file."""
    (tmp_path / "one.pem").write_bytes(ONE.root_pem)
    slot = Slot(client_origin(sources(tmp_path)), validate=lambda old, new: None, describe=str)
    (tmp_path / "two.pem").write_bytes(TWO.root_pem)
    assert slot.stale()
    assert slot.read()
    assert TWO.root_pem in slot.value.ca
    assert not slot.stale()
    (tmp_path / "two.pem").write_bytes(ONE.root_pem)
    assert slot.stale()
    assert slot.read()
    assert TWO.root_pem not in slot.value.ca


def test_an_authority_in_der(tmp_path: Path) -> None:
    """It is named, with the command that converts it; in a folder too, where OpenSSL would pass it over in silence."""
    (tmp_path / "two.pem").write_bytes(TWO.root_pem)
    der = tmp_path / "one.crt"
    der.write_bytes(ONE.root.public_bytes(Encoding.DER))
    for place in (der, tmp_path):
        with pytest.raises(CertificateError) as refused:
            load_client_auth(sources(place))
        (problem,) = refused.value.problems
        assert problem.code == "TLS160"
        assert problem.what == f"{der} holds no certificate in PEM: it is a certificate in DER (binary)"
        assert problem.remedy == f"Convert it: openssl x509 -inform DER -in {der} -out ca.pem"


@pytest.mark.parametrize(
    ("ca", "lists", "says"),
    [
        (b"-----BEGIN nothing-----", None, "the text given holds no PEM certificate that OpenSSL can use"),
        (ONE.root_pem, b"-----BEGIN nothing-----", "the text given holds no PEM revocation list"),
        (ONE.root_pem, ONE.root_pem, "holds no PEM revocation list"),
    ],
)
def test_what_openssl_cannot_use(ca: bytes, lists: bytes | None, says: str) -> None:
    """Is refused at the start, in words."""
    with pytest.raises(CertificateError, match=says):
        load_client_auth(sources(ca, lists))


def test_nothing_there(tmp_path: Path) -> None:
    """A folder without authorities, and a file that is missing."""
    with pytest.raises(CertificateError, match="holds no certificate"):
        load_client_auth(sources(tmp_path))
    with pytest.raises(CertificateError, match="does not exist"):
        load_client_auth(sources(tmp_path / "missing.pem"))


def test_cloudflares_authority() -> None:
    """The one by which it shows itself to origins: signed by itself, and good for some years."""
    found = x509.load_pem_x509_certificate(load_client_auth(sources(cloudflare.ORIGIN_PULL_CA)).ca)
    found.verify_directly_issued_by(found)
    assert "origin-pull.cloudflare.net" in found.subject.rfc4514_string()
    assert found.not_valid_after_utc.isoformat() == "2029-11-01T17:00:00+00:00"

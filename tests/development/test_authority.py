"""The development CA is found where mkcert keeps it, else made once, and never written over."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.certs import DAY, NOW
from tests.support.process import ROOT, run
from tests.tls.loading import common_folder, openssl, without_rights
from tlsrun.certificates.caroot import mkcert_caroot, own_folder
from tlsrun.certificates.keys import key_pem
from tlsrun.development.authority import StoredAuthority, find_authority, find_root, obtain_authority
from tlsrun.development.issue import issue_leaf, make_authority
from tlsrun.errors import CertificateError, Problem


def refusal() -> Problem:
    with pytest.raises(CertificateError) as caught:
        obtain_authority(NOW)
    (problem,) = caught.value.problems
    return problem


@pytest.fixture(scope="module")
def mkcerts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA as mkcert makes it: RSA 3072, its organization."""
    folder = tmp_path_factory.mktemp("mkcert")
    openssl("req", "-x509", "-newkey", "rsa:3072", "-nodes", "-days", "3650", "-keyout", "rootCA-key.pem",
            "-subj", "/O=mkcert development CA/OU=me@host/CN=mkcert me@host", "-out", "rootCA.pem",
            "-addext", "keyUsage=critical,keyCertSign",
            "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0", cwd=folder)  # fmt: skip
    return folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def is_mkcerts(stored: StoredAuthority) -> bool:
    return "mkcert" in stored.authority.certificate.subject.rfc4514_string()


def test_the_first_start_makes_one(home: Path) -> None:
    """In our own data folder, for nobody else to read; the next start finds it."""
    first = obtain_authority(NOW)
    assert first.created
    assert first.path == home / ".local/share/tlsrun/rootCA.pem"
    assert mode(first.path.parent) == 0o700
    assert mode(first.path) == mode(first.path.with_name("rootCA-key.pem")) == 0o600
    second = obtain_authority(NOW)
    assert not second.created
    assert second.authority.certificate == first.authority.certificate
    assert openssl("pkey", "-in", first.path.with_name("rootCA-key.pem"), "-noout", "-check") == "Key is valid\n"


def test_the_folder_is_private_whatever_the_umask(home: Path) -> None:
    """Modes are set at creation, not left to the shell."""
    before = os.umask(0)
    try:
        made = obtain_authority(NOW)
    finally:
        os.umask(before)
    assert mode(made.path.parent) == 0o700
    assert {mode(path) for path in made.path.parent.iterdir()} == {0o600}


def test_caroot_is_obeyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by mkcert: a CA is made there when there is none."""
    monkeypatch.setenv("CAROOT", str(tmp_path / "new"))
    made = obtain_authority(NOW)
    assert made.created
    assert made.path == tmp_path / "new" / "rootCA.pem"
    assert mode(tmp_path / "new") == 0o700
    assert obtain_authority(NOW).authority.certificate == made.authority.certificate
    assert not own_folder().exists()


def test_a_folder_that_exists_keeps_its_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of the user's own is not closed behind his back."""
    tmp_path.chmod(0o755)
    monkeypatch.setenv("CAROOT", str(tmp_path))
    obtain_authority(NOW)
    assert mode(tmp_path) == 0o755


def test_mkcerts_ca_is_used(mkcerts: Path) -> None:
    """What already trusts it keeps working."""
    shutil.copytree(mkcerts, mkcert_caroot())
    found = obtain_authority(NOW)
    assert not found.created
    assert is_mkcerts(found)
    assert found.path == mkcert_caroot() / "rootCA.pem"
    assert isinstance(found.authority.key, rsa.RSAPrivateKey)


def test_mkcerts_ca_without_a_key_is_passed_over(mkcerts: Path) -> None:
    """It is only trusted here, and signs elsewhere: ours is made."""
    mkcert_caroot().mkdir(parents=True)
    shutil.copy(mkcerts / "rootCA.pem", mkcert_caroot())
    found = obtain_authority(NOW)
    assert found.created
    assert found.path == own_folder() / "rootCA.pem"
    assert not obtain_authority(NOW).created


def test_mkcerts_ca_without_a_key_in_caroot_is_passed_over(
    mkcerts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it lies."""
    shutil.copy(mkcerts / "rootCA.pem", tmp_path)
    monkeypatch.setenv("CAROOT", str(tmp_path))
    assert obtain_authority(NOW).path == own_folder() / "rootCA.pem"


def test_a_ca_without_a_key_is_an_error_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody relies on it; a second one beside it would not be trusted."""
    made = obtain_authority(NOW)
    key = made.path.with_name("rootCA-key.pem")
    key.unlink()
    found = refusal()
    assert found.where == f"the development CA in {own_folder()}"
    assert found.what == f"the file {key} does not exist"
    assert found.remedy == "Remove rootCA.pem and rootCA-key.pem there: a new CA is made then, to be trusted anew"
    monkeypatch.setenv("CAROOT", str(own_folder()))
    assert refusal().what == found.what
    monkeypatch.setenv("CAROOT", str(tmp_path))
    (tmp_path / "rootCA.pem").write_bytes(made.authority.pem)
    assert refusal().remedy.startswith(f"Restore both files in {tmp_path}")


def test_looking_makes_nothing(mkcerts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no CA there is none afterwards; the one that is found is the one that would be used."""
    assert find_root() is find_authority(NOW) is None
    assert not own_folder().exists()
    made = obtain_authority(NOW)
    assert find_root() == made.path
    shutil.copytree(mkcerts, mkcert_caroot())
    assert find_root() == mkcert_caroot() / "rootCA.pem"
    (mkcert_caroot() / "rootCA-key.pem").unlink()
    assert find_root() == made.path
    monkeypatch.setenv("CAROOT", str(tmp_path))
    assert find_root() is find_authority(NOW) is None


def test_a_root_is_found_whatever_its_dates_and_key() -> None:
    """To take an old one out of the stores again."""
    own_folder().mkdir(parents=True)
    (own_folder() / "rootCA.pem").write_bytes(make_authority("me@host", now=NOW - 3651 * DAY).pem)
    assert find_root() == own_folder() / "rootCA.pem"


@pytest.mark.parametrize("own", [True, False])
def test_damage_is_said(own: bool) -> None:
    """A key of another CA, a leaf in the CA's place, garbage, an encrypted key, an expired CA."""
    folder = own_folder() if own else mkcert_caroot()
    folder.mkdir(parents=True)
    root, key = folder / "rootCA.pem", folder / "rootCA-key.pem"
    good, other = make_authority("me@host", now=NOW), make_authority("me@host", now=NOW)
    root.write_bytes(good.pem)
    key.write_bytes(key_pem(other.key))
    assert refusal().what == "rootCA-key.pem is not the key of rootCA.pem"
    key.write_bytes(b"garbage")
    assert f"{key} holds no private key in PEM" in refusal().what
    key.write_text(openssl("pkcs8", "-topk8", "-passout", "pass:secret", input=key_pem(good.key).decode()))
    assert "is encrypted" in refusal().what
    key.write_bytes(key_pem(good.key))
    root.write_bytes(b"")
    assert refusal().what == f"{root} is empty"
    leaf = issue_leaf(good, ["a.test"], now=NOW)
    root.write_bytes(leaf.fullchain)
    key.write_bytes(leaf.key)
    assert refusal().what == "rootCA.pem is not the certificate of a CA"
    old = make_authority("me@host", now=NOW - 3651 * DAY)
    root.write_bytes(old.pem)
    key.write_bytes(key_pem(old.key))
    found = refusal()
    assert found.what == f"rootCA.pem expired on {NOW - DAY:%Y-%m-%d}"
    assert ("mkcert -install" in found.remedy) is not own


def test_a_key_alone_is_kept() -> None:
    """A start that was cut off between key and certificate is finished with the same key."""
    made = obtain_authority(NOW)
    key = made.path.with_name("rootCA-key.pem")
    before = key.read_bytes()
    made.path.unlink()
    again = obtain_authority(NOW)
    assert again.created
    assert key.read_bytes() == before == key_pem(again.authority.key)
    made.path.unlink()
    key.write_bytes(b"something of the user's")
    assert f"{key} holds no private key in PEM" in refusal().what
    assert key.read_bytes() == b"something of the user's"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a file of another user's")
def test_a_ca_of_root_is_not_a_damaged_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """After one start with sudo: the remedy is not to remove it."""
    with common_folder() as folder:
        monkeypatch.setenv("CAROOT", str(folder))
        obtain_authority(NOW)
        with without_rights():
            found = refusal()
    assert "rootCA.pem cannot be read by the user nobody" in found.what
    assert "chgrp" in found.remedy
    assert "Remove" not in found.remedy


def test_an_unwritable_place_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the folder and the variables that move it."""
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    found = refusal()
    assert found.where == "the development certificate"
    assert found.what == f"it cannot be kept in {tmp_path}/file/tlsrun: Not a directory"
    assert found.remedy.startswith("Set CAROOT or XDG_DATA_HOME to a folder that may be written")
    monkeypatch.setenv("CAROOT", str(tmp_path / "file" / "x"))
    assert refusal().remedy.startswith("Set CAROOT to a folder that may be written")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without a name")
def test_no_home_is_said() -> None:
    """A uid without a name and without HOME, as in a container."""
    program = (
        "import os, datetime; os.environ.clear(); os.setuid(64300)\n"
        "from tlsrun.development.authority import obtain_authority\n"
        "try: obtain_authority(datetime.datetime.now(datetime.timezone.utc))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    early = "import tlsrun.development.authority, tlsrun.development.store, pwd\n"
    done = run([sys.executable, "-c", early + program], cwd=ROOT)
    assert done.stdout.startswith("CertificateError the development certificate: there is no folder to keep it in")
    assert "Set XDG_DATA_HOME" in done.stdout


def test_the_clock_counts_for_nothing_but_expiry() -> None:
    """A CA is good to its last second."""
    made = obtain_authority(NOW)
    assert obtain_authority(made.authority.certificate.not_valid_after_utc)
    with pytest.raises(CertificateError, match="expired on"):
        obtain_authority(made.authority.certificate.not_valid_after_utc + DAY)

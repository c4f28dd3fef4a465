"""The real mkcert and we see each other's work in an NSS database, and either undoes it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.certs import NOW
from tests.support.process import run
from tests.tls.loading import load, openssl
from tests.trust.standing_in import needs
from tests.trust.test_nss import database, listed
from tlsrun.certificates.caroot import own_folder
from tlsrun.development.authority import obtain_authority


@pytest.fixture
def nssdb(home: Path, certutil: str) -> Path:
    """The user's database, which mkcert does not make itself."""
    needs("mkcert", "mkcert")
    return database(home / ".pki/nssdb")


def mkcert(*words: str | Path, **env: str) -> None:
    done = run(["mkcert", *words], env={"TRUST_STORES": "nss", **env})
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in done.stderr


def trust(*words: str) -> tuple[int, str]:
    done = run([sys.executable, "-m", "tlsrun", "trust", "--store", "nss", *words])
    return done.returncode, done.stdout


def test_what_mkcert_installs_is_trusted_here(nssdb: Path) -> None:
    """Its CA is ours then; nothing is added twice, and what we remove it does not find any more."""
    mkcert("-install")
    code, said = trust("--check")
    assert code == 0
    assert "mkcert" in said.splitlines()[0]
    assert "  trusted  " in said
    before = listed(nssdb)
    assert trust()[0] == 0
    assert listed(nssdb) == before
    assert trust("--remove")[0] == 0
    assert "mkcert" not in listed(nssdb)
    mkcert("-install")
    assert trust("--check")[0] == 0


def test_what_we_install_mkcert_removes(nssdb: Path) -> None:
    """With its own CA the names are its own."""
    mkcert("-install")
    assert trust("--remove")[0] == 0
    assert trust()[0] == 0
    mkcert("-uninstall")
    assert trust("--check")[0] == 1


def test_our_ca_installed_by_mkcert(nssdb: Path) -> None:
    """Under mkcert's name; it counts, and goes with ours."""
    obtain_authority(NOW)
    mkcert("-install", CAROOT=str(own_folder()))
    assert "mkcert development CA" in listed(nssdb)
    assert trust("--check")[0] == 0
    assert trust("--remove")[0] == 0
    assert "development CA" not in listed(nssdb)


def test_each_trusts_the_others_leaves(nssdb: Path, tmp_path: Path) -> None:
    """One CA signs both: `tlsrun cert` by mkcert's, and mkcert by ours, verified by openssl and by NSS."""
    mkcert("-install")
    done = run([sys.executable, "-m", "tlsrun", "cert", "ours.test", "--out", str(tmp_path)])
    assert done.returncode == 0, done.stderr
    mkcert("-cert-file", tmp_path / "theirs.pem", "-key-file", tmp_path / "theirs-key.pem", "theirs.test")
    root = Path(run(["mkcert", "-CAROOT"]).stdout.strip()) / "rootCA.pem"
    for name in ("ours.test", "theirs"):
        certificate = tmp_path / f"{name}.pem"
        assert openssl("verify", "-x509_strict", "-CAfile", root, certificate).endswith(": OK\n")
        added = run(["certutil", "-A", "-d", f"sql:{nssdb}", "-t", ",,", "-n", name,
                     "-i", certificate])  # fmt: skip
        assert added.returncode == 0
        done = run(["certutil", "-V", "-d", f"sql:{nssdb}", "-u", "V", "-n", name])
        assert done.stdout + done.stderr == "certutil: certificate is valid\n"
        assert load(certificate, tmp_path / f"{name}-key.pem")[1] == []

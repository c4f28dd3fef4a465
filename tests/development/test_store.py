"""A development certificate is there at once, trusted with its CA, kept, and renewed for every reason."""

from __future__ import annotations

import datetime
import os
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from tests.support.certs import DAY, NOW
from tests.support.process import ROOT, environment, run
from tests.tls.loading import common_folder, load, openssl, without_rights
from tlsrun.certificates.caroot import own_folder
from tlsrun.certificates.identity import load_identity
from tlsrun.development.store import DevelopmentIdentity, development_identity
from tlsrun.errors import CertificateError


def files(made: DevelopmentIdentity) -> tuple[Path, Path]:
    """Certificate and key."""
    assert made.sources.cert.path is not None
    assert made.sources.key is not None
    assert made.sources.key.path is not None
    return made.sources.cert.path, made.sources.key.path


def test_the_first_certificate(home: Path) -> None:
    """For this machine's names, from a CA that was made, in private files that load without a warning."""
    made = development_identity([], now=NOW)
    assert made.created
    assert made.identity.names == ("localhost", "127.0.0.1", "::1")
    assert made.identity.key_type == "ECDSA P-256"
    assert load_identity(made.sources) == made.identity
    cert, _ = files(made)
    assert openssl("verify", "-x509_strict", "-CAfile", made.ca_path, cert) == f"{cert}: OK\n"
    below = [path for path in own_folder().rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in below} == {0o600}
    folders = [own_folder(), *(path for path in own_folder().rglob("*") if path.is_dir())]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


def test_it_is_used_again() -> None:
    """The second start finds the same certificate, and no new CA."""
    first = development_identity(["app.test"], now=NOW)
    second = development_identity(["app.test"], now=NOW + DAY)
    assert not second.created
    assert second.identity == first.identity
    assert second.sources == first.sources


def test_names_choose_the_file() -> None:
    """Each set of names has its own pair, whatever the order; odd names make no odd paths."""
    first = development_identity(["b.test", "a.test"], now=NOW)
    assert development_identity(["a.test", "B.test", "localhost"], now=NOW).sources == first.sources
    second = development_identity(["*.a.test", "2001:db8::1", "Bücher.example"], now=NOW)
    assert second.identity.names[3:] == ("*.a.test", "2001:db8::1", "xn--bcher-kva.example")
    cert, key = files(second)
    assert cert.parent == files(first)[0].parent
    assert cert.name.removesuffix(".pem").isalnum()
    assert key.name == f"{cert.stem}-key.pem"


@pytest.mark.parametrize("wildcard", ["", "0.0.0.0", "::", "[::]"])  # noqa: S104 -- a name, not bound to
def test_a_wildcard_address_means_this_host(wildcard: str) -> None:
    """Bound to every address, the machine is reached by its own name too."""
    made = development_identity([wildcard], now=NOW)
    assert made.identity.names == ("localhost", "127.0.0.1", "::1", socket.gethostname().lower())


def test_an_impossible_name_is_said() -> None:
    """And nothing is made for it."""
    with pytest.raises(CertificateError, match="the name 'a b': it is no host name"):
        development_identity(["a b"], now=NOW)
    assert not own_folder().exists()


def test_it_is_renewed_in_its_last_month() -> None:
    """Before anybody notices; until then it stays."""
    first = development_identity([], now=NOW)
    end = first.identity.not_after
    assert development_identity([], now=end - 30 * DAY).identity == first.identity
    renewed = development_identity([], now=end - 30 * DAY + datetime.timedelta(seconds=1))
    assert renewed.identity != first.identity
    assert renewed.sources == first.sources
    assert not renewed.created
    assert development_identity([], now=end - 29 * DAY).identity == renewed.identity
    assert load_identity(renewed.sources) == renewed.identity


def test_a_certificate_from_the_future_is_renewed() -> None:
    """The clock was wrong when it was made."""
    development_identity([], now=NOW)  # the CA
    future = development_identity(["a.test"], now=NOW + 100 * DAY)
    assert development_identity(["a.test"], now=NOW).identity != future.identity


def test_the_last_month_of_the_ca_does_not_renew_without_end() -> None:
    """A certificate that ends with its CA cannot be better."""
    ca = development_identity([], now=NOW).ca_path
    end = NOW + 3650 * DAY
    last = development_identity([], now=end - 10 * DAY)
    assert last.ca_path == ca
    assert last.identity.not_after == end
    assert development_identity([], now=end - 5 * DAY).identity == last.identity


def test_a_new_ca_means_a_new_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the old one is there again with the old CA."""
    first = development_identity([], now=NOW)
    monkeypatch.setenv("CAROOT", str(tmp_path))
    second = development_identity([], now=NOW)
    assert second.created
    assert second.identity != first.identity
    assert second.ca_path == tmp_path / "rootCA.pem"
    second.identity.certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(second.ca_path.read_bytes()))
    monkeypatch.delenv("CAROOT")
    assert development_identity([], now=NOW).identity == first.identity


def _swap_in_another(made: DevelopmentIdentity) -> None:
    other = development_identity(["other.test"], now=NOW)
    for mine, theirs in zip(files(made), files(other), strict=True):
        shutil.copy(theirs, mine)


DAMAGE = {
    "an empty certificate": lambda made: files(made)[0].write_bytes(b""),
    "garbage for a key": lambda made: files(made)[1].write_bytes(b"garbage"),
    "no certificate": lambda made: files(made)[0].unlink(),
    "no key": lambda made: files(made)[1].unlink(),
    "half a certificate": lambda made: files(made)[0].write_bytes(files(made)[0].read_bytes()[:300]),
    "another key": lambda made: shutil.copy(files(development_identity(["x.test"], now=NOW))[1], files(made)[1]),
    "other names": _swap_in_another,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_mended_in_silence(damage: str) -> None:
    """Nothing in these files is worth a question."""
    first = development_identity(["a.test"], now=NOW)
    DAMAGE[damage](first)
    second = development_identity(["a.test"], now=NOW)
    assert second.identity != first.identity
    assert not second.created
    assert "a.test" in second.identity.names
    assert load_identity(second.sources) == second.identity


def test_a_folder_that_cannot_be_written_is_said() -> None:
    """With its path and what to set."""
    with common_folder() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(folder))
        if os.geteuid() != 0:
            folder.chmod(0o555)
        with without_rights(), pytest.raises(CertificateError) as caught:
            development_identity([], now=NOW)
        folder.chmod(0o755)
    assert str(caught.value) == (
        f"the development certificate: it cannot be kept in {folder}/tlsrun: Permission denied. "
        "Set CAROOT or XDG_DATA_HOME to a folder that may be written, "
        "or TLS_CERT and TLS_KEY (--cert, --key)."
    )


def test_a_ca_that_can_be_read_and_leaves_that_cannot_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CAROOT alone does not help then: the other variable is named."""
    monkeypatch.setenv("CAROOT", str(tmp_path / "ca"))
    development_identity([], now=NOW)
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    with pytest.raises(CertificateError, match="Set XDG_DATA_HOME to a folder that may be written"):
        development_identity([], now=NOW)


_START = """
import datetime, sys
from tlsrun.development.store import development_identity
sys.stdin.readline()
made = development_identity(["a.test"], now=datetime.datetime.now(datetime.timezone.utc))
print(made.created, made.identity.fingerprint, made.ca_path.read_bytes().hex())
"""


def test_processes_that_start_at_once_share_one_ca(home: Path) -> None:
    """One of them makes CA and certificate, the others find both whole."""
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(),
        )  # fmt: skip
        for _ in range(6)
    ]
    for one in crowd:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    said = [one.communicate(timeout=120)[0].split() for one in crowd]
    assert [one.returncode for one in crowd] == [0] * 6
    assert sorted(created for created, _, _ in said) == ["False"] * 5 + ["True"]
    assert len({tuple(rest) for _, *rest in said}) == 1


@pytest.fixture
def mkcert() -> str:
    """The program; CI must have it."""
    found = shutil.which("mkcert")
    if found is None:
        assert os.environ.get("CI") != "true", "mkcert must be there in CI: apt-get install mkcert"
        pytest.skip("mkcert is not installed (apt-get install mkcert)")
    return found


def test_mkcert_and_we_share_a_ca(mkcert: str, home: Path) -> None:
    """What mkcert made is used, its certificates load without a warning, and ours verify with its root."""
    done = run([mkcert, "-cert-file", home / "m.pem", "-key-file", home / "m-key.pem", "localhost"], cwd=home)
    assert done.returncode == 0, done.stderr
    made = development_identity(["app.test"], now=NOW)
    assert not made.created
    assert made.ca_path == Path(run([mkcert, "-CAROOT"]).stdout.strip()) / "rootCA.pem"
    assert openssl("verify", "-x509_strict", "-CAfile", made.ca_path, files(made)[0]).endswith(": OK\n")
    identity, warnings = load(home / "m.pem", home / "m-key.pem")
    assert identity.covers("localhost")
    assert warnings == []


def test_mkcert_reads_our_ca(mkcert: str, home: Path) -> None:
    """The layout is mkcert's in the other direction too."""
    made = development_identity([], now=NOW)
    done = run([mkcert, "-cert-file", home / "m.pem", "-key-file", home / "m-key.pem", "localhost"], cwd=home,
               env={"CAROOT": str(made.ca_path.parent)})  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert openssl("verify", "-CAfile", made.ca_path, home / "m.pem").endswith(": OK\n")

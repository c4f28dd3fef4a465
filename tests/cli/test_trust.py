"""`tlsrun trust`: what it says of each store, and how it ends."""

from __future__ import annotations

import os
import shlex
import stat
import sys
import termios
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flask_tlsrun.tls_group import tls_group
from tests.support.certs import DAY, NOW
from tests.support.process import ROOT, eventually, run
from tests.tls.loading import openssl
from tests.trust.standing_in import Program, needs
from tests.trust.test_nss import database, listed
from tlsrun.certificates.caroot import own_folder
from tlsrun.cli.main import tlsrun
from tlsrun.development.authority import obtain_authority
from tlsrun.development.issue import make_authority


def trust(*words: str | Path, code: int = 0, nss: bool = True) -> Result:
    """Run `tlsrun trust …` here, on the browsers of the test's home alone."""
    only = ["--store", "nss"] if nss else []
    result = CliRunner().invoke(tlsrun, ["trust", *only, *map(str, words)])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def nssdb(home: Path) -> Path:
    """A browser's database."""
    needs("certutil", "libnss3-tools")
    return database(home / ".mozilla/firefox/ab12.default")


@pytest.fixture(autouse=True)
def no_chromium(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether one is installed here is not to matter."""
    monkeypatch.setattr("tlsrun.trust.machine._CHROMIUMS", ())


def test_trust_check_and_remove(nssdb: Path) -> None:
    """The CA is made, said with its place; each store is one line."""
    first = trust().stdout.splitlines()
    assert first[0].startswith("Development CA: tlsrun ")
    assert first[0].endswith(f", {own_folder()}/rootCA.pem")
    assert first[1] == "  trusted now  Firefox, profile ab12.default, ~/.mozilla/firefox/ab12.default"
    assert first[2] == "Restart the browsers that run."
    assert trust().stdout.splitlines()[1].startswith("  trusted      Firefox, profile ab12.default")
    assert trust("--check").stdout.splitlines()[1].startswith("  trusted      Firefox")
    assert trust("--remove").stdout.splitlines()[1].startswith("  removed      Firefox")
    assert trust("--remove").stdout.splitlines()[1].startswith("  not there    Firefox")
    assert trust("--check", code=1).stdout.splitlines()[1].startswith("  NOT TRUSTED  Firefox")
    assert "development CA" not in listed(nssdb)


def test_looking_makes_no_ca(nssdb: Path) -> None:
    """Neither --check nor --remove leaves anything behind."""
    assert "There is no development CA; `tlsrun trust` makes one." in trust("--check", code=2).stderr
    assert "There is no development CA" in trust("--remove").stderr
    assert not own_folder().exists()


def test_an_expired_ca_can_be_removed(nssdb: Path) -> None:
    """Its root alone is looked at."""
    own_folder().mkdir(parents=True)
    (own_folder() / "rootCA.pem").write_bytes(make_authority("me@host", now=NOW - 3651 * DAY).pem)
    name = "old development CA"
    put = run(["certutil", "-A", "-d", f"sql:{nssdb}", "-t", "C,,", "-n", name, "-i", own_folder() / "rootCA.pem"])
    assert put.returncode == 0
    assert "  removed" in trust("--remove").stdout
    assert name not in listed(nssdb)
    assert "rootCA-key.pem does not exist" in trust(code=2).stderr


def test_no_browser(home: Path) -> None:
    """Is no success, and says what to do."""
    said = trust(code=1).stdout
    assert "No browser with a store of its own was found for this user" in said


def test_what_could_not_be_done(home: Path, nssdb: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each store with its reason, and each remedy once; the others are done all the same."""
    database(home / ".mozilla/firefox/closed", "secret")
    said = trust(code=1).stdout
    assert "  trusted now  Firefox, profile ab12.default" in said
    line = next(line for line in said.splitlines() if "profile closed" in line)
    assert line.startswith("  NOT DONE     Firefox, profile closed")
    assert line.endswith("it is protected by a password, which is asked for at a terminal only")
    command = said.partition("By hand, at a terminal:\n  ")[2].splitlines()[0]
    assert shlex.split(command)[1:4] == ["-A", "-d", f"sql:{home}/.mozilla/firefox/closed"]
    Program(tmp_path / "bin", "apt")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr("tlsrun.trust.machine._MORE_PATH", ())
    said = trust(code=1).stdout
    assert said.count("certutil, which changes it, is not installed") == 2
    assert said.count("apt install libnss3-tools") == 1


def test_commands_by_hand_work(home: Path) -> None:
    """What is printed for a database that is closed here opens it where somebody can answer."""
    needs("certutil", "libnss3-tools")
    folder = database(home / ".mozilla/firefox/closed", "secret")
    said = trust(code=1).stdout
    command = shlex.split(said.partition("By hand, at a terminal:\n  ")[2].splitlines()[0])
    done = run([*command, "-f", folder / "password"])
    assert done.returncode == 0, done.stderr
    assert "  trusted  " in trust("--check").stdout


def test_at_a_terminal_the_password_is_asked_for(home: Path) -> None:
    """By certutil itself; a person answers, and the profile trusts the CA."""
    import pty

    needs("certutil", "libnss3-tools")
    database(home / ".mozilla/firefox/closed", "secret")
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        os.execv(sys.executable, [sys.executable, "-m", "tlsrun", "trust", "--store", "nss"])
    output = bytearray()
    try:
        while b"Enter Password" not in output:
            output += os.read(terminal, 1024)
        # What is typed before the echo is off is thrown away.
        eventually(lambda: not termios.tcgetattr(terminal)[3] & termios.ECHO, what="a terminal without echo")
        os.write(terminal, b"secret\n")
        while chunk := os.read(terminal, 1024):
            output += chunk
    except OSError:
        pass
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    # A Chromium that is installed has its database made, too.
    assert b"trusted now" in output
    assert os.waitstatus_to_exitcode(status) == 0, output.decode()


def test_export(tmp_path: Path) -> None:
    """The certificate alone, in PEM or DER or on standard output; never over another file."""
    said = trust("--export", tmp_path / "ca.pem").stdout
    assert "It holds no key." in said
    pem = (tmp_path / "ca.pem").read_text()
    assert pem == (own_folder() / "rootCA.pem").read_text()
    assert "PRIVATE" not in pem
    assert stat.S_IMODE((tmp_path / "ca.pem").stat().st_mode) == 0o644
    assert "Already there" in trust("--export", tmp_path / "ca.pem").stdout
    trust("--export", tmp_path / "ca.der")
    assert openssl("x509", "-inform", "DER", "-in", tmp_path / "ca.der").strip() == pem.strip()
    assert trust("--export", "-").stdout == pem
    (tmp_path / "notes.pem").write_text("x")
    assert "it exists, and holds something else" in trust("--export", tmp_path / "notes.pem", code=2).stderr
    trust("--export", tmp_path / "notes.pem", "--force")


def test_by_hand() -> None:
    """All of it, with this CA's own path."""
    said = trust("--by-hand", nss=False).stdout
    assert f"export NODE_EXTRA_CA_CERTS={own_folder()}/rootCA.pem" in said
    assert "Firefox, by hand:" in said


def test_one_thing_at_a_time() -> None:
    """Two of them contradict each other."""
    assert "give one of them" in trust("--check", "--remove", code=2).stderr


def test_the_key_never_leaves_its_folder(nssdb: Path, home: Path, tmp_path: Path) -> None:
    """No file that any of it writes holds a byte of the key; nor is it printed."""
    obtain_authority(NOW)
    secret = (own_folder() / "rootCA-key.pem").read_text().splitlines()[1]
    said = [trust().output, trust("--export", tmp_path / "ca.pem").output, trust("--by-hand").output]
    written = [path for folder in (home, tmp_path) for path in folder.rglob("*") if path.is_file()]
    holders = [path for path in written if secret.encode() in path.read_bytes()]
    assert holders == [own_folder() / "rootCA-key.pem"]
    assert not any(secret in words for words in said)


def test_help_and_flask() -> None:
    """Examples first; `flask tls trust` is the same command."""
    said = CliRunner().invoke(tls_group, ["trust", "--help"]).stdout
    assert "flask tls trust --export ca.pem" in said.partition("Options:")[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_started_with_sudo(nssdb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wrong user's browsers would be concerned."""
    monkeypatch.setenv("SUDO_USER", "me")
    assert "not those of me. Start it without sudo" in trust().stderr

"""NSS databases are found wherever browsers keep them, and changed by the real certutil."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.support.certs import NOW
from tests.support.process import run
from tests.trust.conftest import MakeMachine
from tlsrun.development.issue import make_authority
from tlsrun.trust import Goal, Held, Machine, Root, StoreAction, TaskOutcome, apply_task, decide, find_stores, read_root
from tlsrun.trust.nss import NssDatabase, nss_databases

CHROMIUM = "/usr/bin/chromium"


def database(folder: Path, password: str = "") -> Path:
    """An empty database."""
    folder.mkdir(parents=True)
    if password:
        (folder / "password").write_text(password)
    how = ["-f", folder / "password"] if password else ["--empty-password"]
    assert run(["certutil", "-N", "-d", f"sql:{folder}", *how]).returncode == 0
    return folder


def put(folder: Path, pem: Path, name: str, trust: str = "C,,") -> None:
    """Add a certificate as somebody else would."""
    done = run(["certutil", "-A", "-d", f"sql:{folder}", "-t", trust, "-n", name, "-i", pem])
    assert done.returncode == 0, done.stderr


def listed(folder: Path) -> str:
    return run(["certutil", "-L", "-d", f"sql:{folder}"]).stdout


def act(goal: Goal, store: NssDatabase, root: Root) -> TaskOutcome:
    task = decide(goal, store, store.held(root), root)
    assert task.verdict is StoreAction.DO
    return apply_task(goal, task, root, ask=False)


@pytest.fixture
def equipped(machine: MakeMachine, certutil: str) -> Machine:
    """A machine with certutil and without a browser."""
    return machine(tools={"certutil": certutil})


@pytest.fixture
def store(equipped: Machine, tmp_path: Path) -> NssDatabase:
    """A database with nothing in it."""
    return NssDatabase(machine=equipped, folder=database(tmp_path / "db"), title="a browser")


def test_add_and_remove(store: NssDatabase, root: Root) -> None:
    """As a CA for servers under the name with its number; gone afterwards, and nothing else with it."""
    assert store.held(root) == Held(trusted=False)
    assert act(Goal.TRUST, store, root).done
    assert store.held(root) == Held(trusted=True, names=(root.names[0],))
    line = next(line for line in listed(store.folder).splitlines() if root.names[0] in line)
    assert line.split()[-1] == "C,,"
    assert decide(Goal.TRUST, store, store.held(root), root).verdict is StoreAction.TRUSTED
    assert act(Goal.REMOVE, store, root).done
    assert root.names[0] not in listed(store.folder)
    assert decide(Goal.REMOVE, store, store.held(root), root).verdict is StoreAction.ABSENT


def test_a_ca_that_was_made_anew(store: NssDatabase, root: Root, tmp_path: Path) -> None:
    """The old one has the same name in it, and another number: the two are told apart."""
    owner = root.title.removeprefix("tlsrun ")
    (tmp_path / "old.pem").write_bytes(make_authority(owner, now=NOW).pem)
    old = read_root(tmp_path / "old.pem")
    assert old.certificate.subject == root.certificate.subject
    assert act(Goal.TRUST, store, old).done
    assert store.held(root) == Held(trusted=False)
    assert act(Goal.TRUST, store, root).done
    assert act(Goal.REMOVE, store, root).done
    assert store.held(old).trusted


def test_what_was_imported_by_hand(store: NssDatabase, root: Root) -> None:
    """Under any name; present without trust is not trusted, and `trust` mends that."""
    put(store.folder, root.path, "my own CA", ",,")
    assert store.held(root) == Held(trusted=False, names=("my own CA",))
    assert act(Goal.TRUST, store, root).done
    assert store.held(root) == Held(trusted=True, names=("my own CA",))
    assert act(Goal.REMOVE, store, root).done
    assert store.held(root) == Held(trusted=False)


def test_a_database_with_a_password(equipped: Machine, root: Root, tmp_path: Path) -> None:
    """Firefox's primary password cannot be asked for here: it is said, and nothing is left half done."""
    closed = NssDatabase(machine=equipped, folder=database(tmp_path / "db", "secret"), title="Firefox")
    outcome = act(Goal.TRUST, closed, root)
    assert not outcome.done
    assert "protected by a password, which is asked for at a terminal only" in (outcome.reason or "")
    assert closed.held(root) == Held(trusted=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="setpriv takes root")
def test_a_database_that_may_not_be_written(equipped: Machine, root: Root, tmp_path: Path) -> None:
    """Somebody else's, or on a disk that is read only."""
    folder = database(tmp_path / "db")
    program = tmp_path / "certutil"
    program.write_text('#!/bin/sh\nexec setpriv --bounding-set=-dac_override,-dac_read_search certutil "$@"\n')
    program.chmod(0o755)
    for path in (*folder.iterdir(), folder):
        path.chmod(0o555 if path == folder else 0o444)
    weak = Machine(system="linux", home=equipped.home, is_root=True, tools={"certutil": str(program)})
    outcome = act(Goal.TRUST, NssDatabase(machine=weak, folder=folder, title="Firefox"), root)
    assert "this user may not write it" in (outcome.reason or "")


def test_chromium_before_its_first_start(machine: MakeMachine, certutil: str, root: Root, home: Path) -> None:
    """The database is made in the one folder that all versions look into."""
    (store,) = nss_databases(machine(tools={"certutil": certutil}, chromium=CHROMIUM))
    assert not store.exists
    assert store.folder == home / ".pki/nssdb"
    assert store.held(root) == Held(trusted=False)
    assert [command[0] for command in store.add(root)] == ["mkdir", certutil, certutil]
    assert act(Goal.TRUST, store, root).done
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert store.held(root).trusted
    (again,) = nss_databases(machine(tools={"certutil": certutil}, chromium=CHROMIUM))
    assert again.exists


def test_nothing_is_made_for_a_browser_that_is_not_there(equipped: Machine, home: Path) -> None:
    """Nobody would read it."""
    assert list(nss_databases(equipped)) == []
    assert list(home.glob(".pki")) == []


def test_chromiums_two_folders(machine: MakeMachine, certutil: str, home: Path) -> None:
    """Newer ones use the second unless the first is there; what is there is served, what lacks is made."""
    made = machine(tools={"certutil": certutil}, chromium=CHROMIUM, data_home=home / "data")
    modern = database(home / "data/pki/nssdb")
    assert [(one.folder, one.exists) for one in nss_databases(made)] == [(modern, True)]
    legacy = home / ".pki/nssdb"
    legacy.mkdir(parents=True)
    assert [(one.folder, one.exists) for one in nss_databases(made)] == [(legacy, False), (modern, True)]
    assert run(["certutil", "-N", "-d", f"sql:{legacy}", "--empty-password"]).returncode == 0
    assert [(one.folder, one.exists) for one in nss_databases(made)] == [(legacy, True), (modern, True)]


#: Where browsers keep a database below the home -> how it is called.
PLACES = {
    "snap/chromium/current/.pki/nssdb": "chromium (snap)",
    "snap/chromium/current/.local/share/pki/nssdb": "chromium (snap)",
    ".var/app/org.chromium.Chromium/.pki/nssdb": "org.chromium.Chromium (flatpak)",
    ".var/app/com.google.Chrome/data/pki/nssdb": "com.google.Chrome (flatpak)",
    ".mozilla/firefox/ab12.default-release": "Firefox, profile ab12.default-release",
    ".config/mozilla/firefox/cd34.default": "Firefox, profile cd34.default",
    "snap/firefox/common/.mozilla/firefox/ef56.default": "Firefox (snap), profile ef56.default",
    ".var/app/org.mozilla.firefox/.mozilla/firefox/gh78.default": "Firefox (flatpak), profile gh78.default",
    ".var/app/org.mozilla.firefox/config/mozilla/firefox/ij90.default": "Firefox (flatpak), profile ij90.default",
    "Library/Application Support/Firefox/Profiles/kl12.default": "Firefox, profile kl12.default",
}


def test_every_place(equipped: Machine, home: Path) -> None:
    """Packages of the system, snap, flatpak, macOS; a folder that is no database is passed over."""
    for place in PLACES:
        (home / place).mkdir(parents=True)
        (home / place / "cert9.db").touch()
    (home / ".mozilla/firefox/Crash Reports").mkdir()
    found = {str(one.folder.relative_to(home)): one.title for one in nss_databases(equipped)}
    assert found == PLACES


def test_profiles_elsewhere(equipped: Machine, home: Path, tmp_path: Path) -> None:
    """Firefox's own list names them; one that it names twice is one."""
    elsewhere = tmp_path / "work % profile"
    beside = home / ".mozilla/firefox/beside.default"
    for folder in (elsewhere, beside):
        folder.mkdir(parents=True)
        (folder / "cert9.db").touch()
    (home / ".mozilla/firefox/profiles.ini").write_text(
        f"[Profile1]\nName=work\nIsRelative=0\nPath={elsewhere}\n\n"
        "[Profile0]\nName=default\nIsRelative=1\nPath=beside.default\n\n"
        f"[Profile2]\nName=again\nIsRelative=0\nPath={beside}\n\n[General]\nVersion=2\n"
    )
    assert [one.folder for one in nss_databases(equipped)] == [beside, elsewhere]
    (home / ".mozilla/firefox/profiles.ini").write_text("no sections\n")
    assert [one.folder for one in nss_databases(equipped)] == [beside]


def test_without_certutil(machine: MakeMachine, root: Root, tmp_path: Path) -> None:
    """What is in it cannot be known; the package is named as this system has it."""
    folder = tmp_path / "db"
    folder.mkdir()
    (folder / "cert9.db").touch()
    store = NssDatabase(machine=machine(tools={"dnf": "/usr/bin/dnf"}), folder=folder, title="Firefox")
    assert store.held(root) == Held(trusted=None)
    for goal in Goal:
        task = decide(goal, store, store.held(root), root)
        assert task.verdict is StoreAction.CANNOT
        assert task.obstacle is not None
        assert task.obstacle.remedy == "Run: dnf install nss-tools"


def test_windows_has_none(machine: MakeMachine) -> None:
    """Its Firefox reads the system's store."""
    assert find_stores(machine(system="win32", chromium="chrome.exe"), ("nss",)) == []

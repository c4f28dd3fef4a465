"""Java's store, by the real keytool; one that follows the system's is none of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.process import run
from tests.trust.conftest import MakeMachine
from tlsrun.trust import Goal, Held, Root, StoreAction, apply_task, decide
from tlsrun.trust.java import PASSWORD, JavaStore, java_stores


@pytest.fixture
def java(tmp_path: Path, ca_file: Path) -> Path:
    """A Java with a store of its own that has one root in it."""
    if shutil.which("keytool") is None:
        pytest.skip("keytool is not installed (apt-get install default-jre-headless)")
    home = tmp_path / "jdk-21"
    (home / "lib/security").mkdir(parents=True)
    done = run([
        "keytool", "-importcert", "-noprompt", "-alias", "other", "-file", ca_file,
        "-keystore", home / "lib/security/cacerts", "-storepass", PASSWORD,
    ])  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return home


def the_store(machine: MakeMachine, home: Path, **facts: object) -> JavaStore:
    (store,) = java_stores(machine(java_home=home, **facts))
    return store


def test_add_and_remove(java: Path, machine: MakeMachine, root: Root) -> None:
    """Found by what is in it, beside others, which stay."""
    store = the_store(machine, java, tools={"keytool": shutil.which("keytool")})
    assert store.title == "Java (jdk-21)"
    assert store.held(root) == Held(trusted=False)
    task = decide(Goal.TRUST, store, store.held(root), root)
    assert apply_task(Goal.TRUST, task, root, ask=False).done
    assert store.held(root) == Held(trusted=True, names=(root.names[0].lower(),))
    task = decide(Goal.REMOVE, store, store.held(root), root)
    assert apply_task(Goal.REMOVE, task, root, ask=False).done
    listed = run(["keytool", "-list", "-keystore", store.cacerts, "-storepass", PASSWORD]).stdout
    assert "other," in listed
    assert "1 entry" in listed


def test_commands(machine: MakeMachine, root: Root, tmp_path: Path) -> None:
    """Its own keytool is preferred; an older layout is found too."""
    home = tmp_path / "jdk8"
    for place in ("jre/lib/security/cacerts", "bin/keytool"):
        (home / place).parent.mkdir(parents=True, exist_ok=True)
        (home / place).touch()
    store = the_store(machine, home, tools={"keytool": "/usr/bin/keytool"})
    cacerts = home / "jre/lib/security/cacerts"
    assert store.add(root) == (
        (
            str(home / "bin/keytool"), "-importcert", "-noprompt", "-alias", root.names[0], "-file", str(root.path),
            "-keystore", str(cacerts), "-storepass", "changeit",
        ),
    )  # fmt: skip


def test_without_keytool(machine: MakeMachine, root: Root, tmp_path: Path) -> None:
    """What is in it cannot be known."""
    (tmp_path / "lib/security").mkdir(parents=True)
    (tmp_path / "lib/security/cacerts").touch()
    store = the_store(machine, tmp_path)
    task = decide(Goal.TRUST, store, store.held(root), root)
    assert task.verdict is StoreAction.CANNOT
    assert task.obstacle is not None
    assert task.obstacle.reason == "keytool is not there"


def test_one_that_follows_the_systems(machine: MakeMachine, tmp_path: Path) -> None:
    """A distribution's Java has a link into /etc, which the system's update writes."""
    (tmp_path / "lib/security").mkdir(parents=True)
    (tmp_path / "lib/security/cacerts").symlink_to("/etc/hostname")
    assert list(java_stores(machine(java_home=tmp_path))) == []
    assert list(java_stores(machine())) == []
    assert list(java_stores(machine(java_home=tmp_path / "nowhere"))) == []

"""What the machine is, read from its PATH and environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.trust.conftest import MakeMachine
from tests.trust.standing_in import Program
from tlsrun.trust import look


def test_this_machine(home: Path) -> None:
    """Home, base folders and rights are this process's."""
    found = look()
    assert found.home == home
    assert found.data_home == home / ".local/share"
    assert found.config_home == home / ".config"
    assert found.is_root == (os.geteuid() == 0)
    assert found.root == Path("/")
    assert not found.wsl


def test_tools_are_found_on_the_path(tmp_path: Path) -> None:
    """By their whole path; a browser by any of its names; a Java by its keytool."""
    for name in ("certutil", "google-chrome-stable"):
        Program(tmp_path / "bin", name)
    Program(tmp_path / "jdk" / "bin", "keytool")
    (tmp_path / "bin" / "keytool").symlink_to(tmp_path / "jdk/bin/keytool")
    found = look({"PATH": str(tmp_path / "bin"), "XDG_DATA_HOME": "relative"})
    assert found.tools["certutil"] == str(tmp_path / "bin/certutil")
    assert found.program("certutil") == str(tmp_path / "bin/certutil")
    assert found.program("nowhere") == "nowhere"
    assert found.chromium == str(tmp_path / "bin/google-chrome-stable")
    assert found.java_home == tmp_path / "jdk"
    assert found.data_home == Path.home() / ".local/share"
    assert look({"PATH": "", "JAVA_HOME": "/opt/java"}).java_home == Path("/opt/java")


def test_wsl_and_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both change who is concerned."""
    assert look({"WSL_DISTRO_NAME": "Debian"}).wsl
    if os.geteuid() == 0:
        assert look({"SUDO_USER": "me"}).sudo_user == "me"
    assert look({}).sudo_user is None


@pytest.mark.parametrize(
    ("facts", "elevation"),
    [
        ({"is_root": True}, ()),
        ({"is_root": True, "tools": {"sudo": "/usr/bin/sudo"}}, ()),
        ({"is_root": False, "tools": {"sudo": "/usr/bin/sudo"}}, ("sudo", "--")),
        ({"is_root": False}, None),
    ],
)
def test_elevation(machine: MakeMachine, facts: dict[str, object], elevation: object) -> None:
    """Root needs nothing, others sudo, and without it nobody may."""
    assert machine(**facts).elevation == elevation


@pytest.mark.parametrize(
    ("tools", "is_root", "command"),
    [
        ({"apt"}, False, "sudo apt install libnss3-tools"),
        ({"apt"}, True, "apt install libnss3-tools"),
        ({"dnf"}, False, "sudo dnf install nss-tools"),
        ({"pacman"}, False, "sudo pacman -S nss"),
        ({"brew"}, False, "brew install nss"),
        (set(), False, "sudo apt install libnss3-tools"),
    ],
)
def test_install_command(machine: MakeMachine, tools: set[str], is_root: bool, command: str) -> None:
    """By the package manager that is there."""
    packages = {"apt": "libnss3-tools", "dnf": "nss-tools", "pacman": "nss", "brew": "nss"}
    made = machine(tools={name: f"/usr/bin/{name}" for name in tools}, is_root=is_root)
    assert made.install_command(packages) == command

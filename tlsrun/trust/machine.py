"""Facts about this machine that concern its stores of roots; read once, so that decisions can be pure."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tlsrun.trust.store import Command

#: Folders that a user's PATH may lack: those of system programs, and Homebrew's for certutil.
_MORE_PATH = ("/usr/sbin", "/sbin", "/usr/local/opt/nss/bin", "/opt/homebrew/opt/nss/bin")

_TOOLS = (
    "apt", "brew", "certutil", "dnf", "docker", "keytool", "node", "pacman", "podman", "security", "sudo", "trust",
    "update-ca-certificates", "update-ca-trust", "yum", "zypper",
)  # fmt: skip

#: Browsers that keep their own roots in the user's NSS database.
_CHROMIUMS = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "google-chrome-beta", "brave",
    "brave-browser", "microsoft-edge", "microsoft-edge-stable", "vivaldi", "vivaldi-stable", "opera",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The facts.

    Arguments:
        system: ``sys.platform``.
        home: the user's home; None if there is none.
        data_home: ``$XDG_DATA_HOME`` or its default.
        config_home: ``$XDG_CONFIG_HOME`` or its default.
        is_root: whether this process runs as root.
        tools: the programs that were found -> their paths.
        chromium: the path of an installed Chromium; None if there is none.
        java_home: ``$JAVA_HOME``, or the Java whose `keytool` is on the PATH; None without either.
        wsl: whether this is the Windows Subsystem for Linux.
        root: the root of the file system; tests use another one.
        sudo_user: the user who started this process with sudo; None without sudo.
    """

    system: str
    home: Path | None
    data_home: Path | None = None
    config_home: Path | None = None
    is_root: bool = False
    tools: Mapping[str, str] = field(default_factory=dict)
    chromium: str | None = None
    java_home: Path | None = None
    wsl: bool = False
    root: Path = Path("/")
    sudo_user: str | None = None

    @property
    def elevation(self) -> Command | None:
        """The prefix for commands that need root; None if root cannot be had."""
        if self.is_root:
            return ()
        return ("sudo", "--") if "sudo" in self.tools else None

    def install_command(self, packages: Mapping[str, str]) -> str:
        """The command that installs a program on this machine.

        Arguments:
            packages: package manager -> the name of the package.
        """
        manager = next((name for name in packages if name in self.tools), next(iter(packages)))
        elevated = "" if self.is_root or manager == "brew" else "sudo "
        return f"{elevated}{manager} {'-S' if manager == 'pacman' else 'install'} {packages[manager]}"

    def program(self, name: str) -> str:
        """A program's path, or its name if it was not found."""
        return self.tools.get(name, name)


def look(environ: Mapping[str, str] = os.environ) -> Machine:
    """Read the facts of this machine."""
    home = _home()
    path = os.pathsep.join([environ.get("PATH", os.defpath), *_MORE_PATH])
    found = {name: where for name in _TOOLS if (where := shutil.which(name, path=path))}
    chromiums = (shutil.which(name, path=path) for name in _CHROMIUMS)
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return Machine(
        system=sys.platform,
        home=home,
        data_home=_base(environ.get("XDG_DATA_HOME"), home, ".local/share"),
        config_home=_base(environ.get("XDG_CONFIG_HOME"), home, ".config"),
        is_root=is_root,
        tools=found,
        chromium=next((where for where in chromiums if where), None),
        java_home=_java_home(environ.get("JAVA_HOME"), found.get("keytool")),
        wsl="WSL_DISTRO_NAME" in environ or _kernel_is_microsofts(),
        sudo_user=environ.get("SUDO_USER") if is_root else None,
    )


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:
        return None


def _base(given: str | None, home: Path | None, below: str) -> Path | None:
    # Relative paths must be ignored (XDG Base Directory Specification, "Environment variables").
    if given and os.path.isabs(given):
        return Path(given)
    return None if home is None else home / below


def _java_home(given: str | None, keytool: str | None) -> Path | None:
    if given:
        return Path(given)
    return None if keytool is None else Path(os.path.realpath(keytool)).parents[1]


def _kernel_is_microsofts() -> bool:
    try:
        return "microsoft" in Path("/proc/version").read_text().lower()
    except OSError:
        return False

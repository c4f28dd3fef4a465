"""NSS databases, by `certutil`: Chromium's, one for each user, and Firefox's, one for each profile."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tlsrun.trust.machine import Machine
from tlsrun.trust.programs import run
from tlsrun.trust.root import Root
from tlsrun.trust.store import Command, Held, Obstacle

#: Package manager -> the package with `certutil`.
PACKAGES = {
    "apt": "libnss3-tools", "dnf": "nss-tools", "yum": "nss-tools", "zypper": "mozilla-nss-tools", "pacman": "nss",
    "brew": "nss",
}  # fmt: skip

_CHROMIUM = "Chromium, Chrome and their kin"
_DATABASE = "cert9.db"

#: A nickname and its trust flags in the output of `certutil -L`; C in the first group means a CA trusted for servers.
_ENTRY = re.compile(r"^(?P<name>.*\S)\s+(?P<ssl>[a-zA-Z]*),[a-zA-Z]*,[a-zA-Z]*\s*$", re.MULTILINE)
#: Names given by us and by mkcert; the serial number identifies the certificate.
_NUMBERED = re.compile(r" development CA \d+$")


@dataclass(frozen=True, kw_only=True)
class NssDatabase:
    """An NSS database.

    Arguments:
        folder: the folder with its files.
        title: the program that uses it.
        exists: False if it has to be created first.
    """

    kind: ClassVar[str] = "nss"
    machine: Machine
    folder: Path
    title: str
    exists: bool = True

    @property
    def place(self) -> str:
        """The folder's path."""
        return str(self.folder)

    @property
    def obstacle(self) -> Obstacle | None:
        """certutil is not installed."""
        if "certutil" in self.machine.tools:
            return None
        remedy = f"Run: {self.machine.install_command(PACKAGES)}"
        return Obstacle(reason="certutil, which changes it, is not installed", remedy=remedy)

    @property
    def _directory(self) -> tuple[str, str]:
        return ("-d", f"sql:{self.folder}")

    @property
    def _certutil(self) -> str:
        return self.machine.program("certutil")

    def held(self, root: Root) -> Held:
        """Find the root by the names that we and mkcert give, then by contents: it may have been imported by hand."""
        if not (self.folder / _DATABASE).is_file():
            return Held(trusted=False)
        if "certutil" not in self.machine.tools:
            return Held(trusted=None)
        entries = {found["name"]: "C" in found["ssl"] for found in _ENTRY.finditer(self._print())}
        names = [name for name in root.names if name in entries]
        names = names or [name for name in entries if not _NUMBERED.search(name) and root.is_in(self._print_one(name))]
        return Held(trusted=any(entries[name] for name in names), names=tuple(names))

    def _print(self) -> str:
        return run((self._certutil, "-L", *self._directory)).output

    def _print_one(self, name: str) -> bytes:
        return run((self._certutil, "-L", *self._directory, "-n", name, "-a")).output.encode()

    def add(self, root: Root) -> tuple[Command, ...]:
        """Add it as a CA for servers only."""
        make: tuple[Command, ...] = ()
        if not self.exists:
            make = (
                ("mkdir", "-p", "-m", "0700", str(self.folder)),
                (self._certutil, "-N", *self._directory, "--empty-password"),
            )
        return (*make, (self._certutil, "-A", *self._directory, "-t", "C,,", "-n", root.names[0], "-i", str(root.path)))

    def remove(self, root: Root, names: tuple[str, ...]) -> tuple[Command, ...]:
        """Delete each entry."""
        return tuple((self._certutil, "-D", *self._directory, "-n", name) for name in names)


def nss_databases(machine: Machine) -> Iterator[NssDatabase]:
    """All databases of this user, and Chromium's even if it does not exist yet."""
    if machine.home is None or machine.system == "win32":
        # Firefox for Windows reads the system's store.
        return
    yield from _chromiums(machine, machine.home)
    for folder, title in _firefoxes(machine, machine.home):
        yield NssDatabase(machine=machine, folder=folder, title=title)


def _chromiums(machine: Machine, home: Path) -> Iterator[NssDatabase]:
    # Chromium uses the first of these folders that exists, and creates the second; older versions know only the first.
    shared = [home / ".pki/nssdb", (machine.data_home or home / ".local/share") / "pki/nssdb"]
    there = [folder for folder in shared if (folder / _DATABASE).is_file()]
    used = next((folder for folder in shared if folder.is_dir()), None)
    if machine.chromium is not None and used not in there:
        yield NssDatabase(machine=machine, folder=shared[0], title=_CHROMIUM, exists=False)
    for folder in there:
        yield NssDatabase(machine=machine, folder=folder, title=_CHROMIUM)
    for pattern, title in _SANDBOXES.items():
        for found in sorted(home.glob(f"{pattern}/{_DATABASE}")):
            yield NssDatabase(machine=machine, folder=found.parent, title=title.format(_application(found, home)))


#: Pattern below the home -> title; {} stands for the application.
_SANDBOXES: Mapping[str, str] = {
    "snap/*/current/.pki/nssdb": "{} (snap)",
    "snap/*/current/.local/share/pki/nssdb": "{} (snap)",
    ".var/app/*/.pki/nssdb": "{} (flatpak)",
    ".var/app/*/data/pki/nssdb": "{} (flatpak)",
}


def _application(found: Path, home: Path) -> str:
    parts = found.relative_to(home).parts
    return parts[2] if parts[0] == ".var" else parts[1]


def _firefoxes(machine: Machine, home: Path) -> Iterator[tuple[Path, str]]:
    bases = {
        home / ".mozilla/firefox": "Firefox",
        # Since Firefox 147, for new users.
        (machine.config_home or home / ".config") / "mozilla/firefox": "Firefox",
        home / "snap/firefox/common/.mozilla/firefox": "Firefox (snap)",
        home / ".var/app/org.mozilla.firefox/.mozilla/firefox": "Firefox (flatpak)",
        home / ".var/app/org.mozilla.firefox/config/mozilla/firefox": "Firefox (flatpak)",
        home / "Library/Application Support/Firefox/Profiles": "Firefox",
    }
    seen: set[Path] = set()
    for base, title in bases.items():
        for folder in (*sorted(base.glob("*/")), *_listed(base)):
            if (folder / _DATABASE).is_file() and folder.resolve() not in seen:
                seen.add(folder.resolve())
                yield folder, f"{title}, profile {folder.name}"


def _listed(base: Path) -> Iterator[Path]:
    """Profiles in other folders, from Firefox's profiles.ini."""
    for place in (base, base.parent):
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read(place / "profiles.ini", encoding="utf-8")
        except (OSError, configparser.Error, UnicodeDecodeError):
            continue
        for section in parser.sections():
            if "Path" in parser[section] and parser[section].get("IsRelative") == "0":
                yield Path(parser[section]["Path"])

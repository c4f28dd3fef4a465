"""NSS databases: Chromium's, one for each user, and Firefox's, one for each profile; read and changed by `certutil`."""

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

#: What `certutil` comes in.
PACKAGES = {
    "apt": "libnss3-tools", "dnf": "nss-tools", "yum": "nss-tools", "zypper": "mozilla-nss-tools", "pacman": "nss",
    "brew": "nss",
}  # fmt: skip

_CHROMIUM = "Chromium, Chrome and their kin"
_DATABASE = "cert9.db"

#: A nickname and its trust, as `certutil -L` prints them; a C among the first flags is a CA that servers may have.
_ENTRY = re.compile(r"^(?P<name>.*\S)\s+(?P<ssl>[a-zA-Z]*),[a-zA-Z]*,[a-zA-Z]*\s*$", re.MULTILINE)
#: Names that we and mkcert give: the serial number says already which certificate it is.
_NUMBERED = re.compile(r" development CA \d+$")


@dataclass(frozen=True, kw_only=True)
class NssDatabase:
    """A database.

    Arguments:
        folder: that holds its files.
        title: whose it is.
        exists: False for one that is to be made first.
    """

    kind: ClassVar[str] = "nss"
    machine: Machine
    folder: Path
    title: str
    exists: bool = True

    @property
    def place(self) -> str:
        """Its folder."""
        return str(self.folder)

    @property
    def obstacle(self) -> Obstacle | None:
        """The program that changes it lacks."""
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
        """Looked for by the names that we and mkcert give, then by what is in it: people import roots by hand too."""
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
        """As a CA for servers, and nothing else."""
        make: tuple[Command, ...] = ()
        if not self.exists:
            make = (
                ("mkdir", "-p", "-m", "0700", str(self.folder)),
                (self._certutil, "-N", *self._directory, "--empty-password"),
            )
        return (*make, (self._certutil, "-A", *self._directory, "-t", "C,,", "-n", root.names[0], "-i", str(root.path)))

    def remove(self, root: Root, names: tuple[str, ...]) -> tuple[Command, ...]:
        """Each entry."""
        return tuple((self._certutil, "-D", *self._directory, "-n", name) for name in names)


def nss_databases(machine: Machine) -> Iterator[NssDatabase]:
    """Every database of this user; Chromium's too when it is still to be made, by its first start or by us."""
    if machine.home is None or machine.system == "win32":
        # Firefox for Windows reads the system's store.
        return
    yield from _chromiums(machine, machine.home)
    for folder, title in _firefoxes(machine, machine.home):
        yield NssDatabase(machine=machine, folder=folder, title=title)


def _chromiums(machine: Machine, home: Path) -> Iterator[NssDatabase]:
    # Chromium takes the first of the two that is a folder, and makes the second; older ones know only the first.
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
    """Profiles that lie elsewhere, as Firefox's own list has them."""
    for place in (base, base.parent):
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read(place / "profiles.ini", encoding="utf-8")
        except (OSError, configparser.Error, UnicodeDecodeError):
            continue
        for section in parser.sections():
            if "Path" in parser[section] and parser[section].get("IsRelative") == "0":
                yield Path(parser[section]["Path"])

"""The system's store on Linux: a folder for the administrator's roots, and a command that rebuilds the bundle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tlsrun.trust.machine import Machine
from tlsrun.trust.root import Root
from tlsrun.trust.store import ROOT_ONLY, Command, Held, Obstacle


@dataclass(frozen=True, kw_only=True)
class Family:
    """The store in a family of distributions.

    Arguments:
        title: the names of the distributions.
        folder: the folder for roots that the administrator adds.
        suffix: the suffix that files in it must have.
        update: the command to run after a file was added.
        update_removed: the command to run after a file was removed.
        bundle: the resulting file with all roots.
    """

    title: str
    folder: str
    suffix: str
    update: Command
    update_removed: Command
    bundle: str


_TRUST = ("update-ca-trust", "extract")
_EXTRACT = ("trust", "extract-compat")

#: The first one whose folder exists is used: update-ca-trust(8), update-ca-certificates(8), trust(1).
FAMILIES = (
    Family(
        title="Fedora, RHEL",
        folder="etc/pki/ca-trust/source/anchors",
        suffix=".pem",
        update=_TRUST,
        update_removed=_TRUST,
        bundle="etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    ),
    Family(
        title="Debian, Ubuntu, Alpine",
        folder="usr/local/share/ca-certificates",
        suffix=".crt",
        update=("update-ca-certificates",),
        # Without --fresh, links to a removed file stay in /etc/ssl/certs.
        update_removed=("update-ca-certificates", "--fresh"),
        bundle="etc/ssl/certs/ca-certificates.crt",
    ),
    Family(
        title="Arch",
        folder="etc/ca-certificates/trust-source/anchors",
        suffix=".crt",
        update=_EXTRACT,
        update_removed=_EXTRACT,
        bundle="etc/ca-certificates/extracted/tls-ca-bundle.pem",
    ),
    Family(
        title="openSUSE",
        folder="etc/pki/trust/anchors",
        suffix=".pem",
        update=("update-ca-certificates",),
        update_removed=("update-ca-certificates",),
        bundle="var/lib/ca-certificates/ca-bundle.pem",
    ),
)

_PACKAGES = {name: "ca-certificates" for name in ("apt", "dnf", "yum", "zypper", "pacman")}


@dataclass(frozen=True, kw_only=True)
class SystemStore:
    """The store that curl, Python, Go, Ruby, git and most other programs read."""

    kind: ClassVar[str] = "system"
    machine: Machine
    family: Family

    @property
    def title(self) -> str:
        """Its name in messages."""
        return f"the system's store ({self.family.title})"

    @property
    def folder(self) -> Path:
        """The folder for additional roots."""
        return self.machine.root / self.family.folder

    @property
    def bundle(self) -> Path:
        """The file with all roots."""
        return self.machine.root / self.family.bundle

    @property
    def place(self) -> str:
        """The folder's path."""
        return str(self.folder)

    @property
    def obstacle(self) -> Obstacle | None:
        """The update command is not installed, or cannot be run as root."""
        if self.family.update[0] not in self.machine.tools:
            remedy = f"Run: {self.machine.install_command(_PACKAGES)}"
            return Obstacle(reason=f"{self.family.update[0]} is not installed", remedy=remedy)
        return ROOT_ONLY if self.machine.elevation is None else None

    def held(self, root: Root) -> Held:
        """The files with the root, and whether it is in the bundle."""
        files = tuple(str(path) for path in self._files() if _holds(path, root))
        return Held(trusted=_holds(self.bundle, root), names=files)

    def _files(self) -> Iterator[Path]:
        try:
            yield from sorted(path for path in self.folder.iterdir() if path.suffix == self.family.suffix)
        except OSError:
            return

    def add(self, root: Root) -> tuple[Command, ...]:
        """Copy it into the folder, and update the bundle."""
        target = self.folder / f"{root.file_name}{self.family.suffix}"
        copy = ("install", "-m", "0644", str(root.path), str(target))
        return self._elevated(copy, self._started(self.family.update))

    def remove(self, root: Root, names: tuple[str, ...]) -> tuple[Command, ...]:
        """Delete every file with the root, whoever put it there."""
        return self._elevated(("rm", "-f", *names), self._started(self.family.update_removed))

    def _started(self, command: Command) -> Command:
        return (self.machine.program(command[0]), *command[1:])

    def _elevated(self, *commands: Command) -> tuple[Command, ...]:
        prefix = self.machine.elevation or ()
        return tuple((*prefix, *command) for command in commands)


def _holds(path: Path, root: Root) -> bool:
    try:
        return root.is_in(path.read_bytes())
    except OSError:
        return False


def system_store(machine: Machine) -> SystemStore | None:
    """The store of this system; None if it is not known (NixOS does it differently)."""
    family = next((one for one in FAMILIES if (machine.root / one.folder).is_dir()), None)
    return None if family is None else SystemStore(machine=machine, family=family)

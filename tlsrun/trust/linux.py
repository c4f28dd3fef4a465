"""The system's own store on Linux: a folder for the administrator's roots, and a command that reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tlsrun.trust.machine import Machine
from tlsrun.trust.root import Root
from tlsrun.trust.store import Command, Held, Obstacle


@dataclass(frozen=True, kw_only=True)
class Family:
    """How a family of distributions does it.

    Arguments:
        title: their names.
        folder: for roots that the administrator adds.
        suffix: that its files must have.
        update: the command that has the system read the folder.
        update_removed: the same, after a file was taken away.
        bundle: the one file with all roots that results.
    """

    title: str
    folder: str
    suffix: str
    update: Command
    update_removed: Command
    bundle: str


_TRUST = ("update-ca-trust", "extract")
_EXTRACT = ("trust", "extract-compat")

#: The first whose folder is there counts: update-ca-trust(8), update-ca-certificates(8), trust(1).
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
        # Without --fresh the links of a file that was taken away stay in /etc/ssl/certs.
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
        """As people call it, with the distributions that have it so."""
        return f"the system's store ({self.family.title})"

    @property
    def folder(self) -> Path:
        """Where roots are added."""
        return self.machine.root / self.family.folder

    @property
    def bundle(self) -> Path:
        """All roots in one file."""
        return self.machine.root / self.family.bundle

    @property
    def place(self) -> str:
        """Where roots are added."""
        return str(self.folder)

    @property
    def obstacle(self) -> Obstacle | None:
        """The update command lacks, or nobody may run it."""
        if self.family.update[0] not in self.machine.tools:
            remedy = f"Run: {self.machine.install_command(_PACKAGES)}"
            return Obstacle(reason=f"{self.family.update[0]} is not installed", remedy=remedy)
        if self.machine.elevation is None:
            return Obstacle(reason="only root may change it, and there is no sudo", remedy="As root, run", by_hand=True)
        return None

    def held(self, root: Root) -> Held:
        """The files that hold it, and whether it has reached the bundle."""
        files = tuple(str(path) for path in self._files() if _holds(path, root))
        return Held(trusted=_holds(self.bundle, root), names=files)

    def _files(self) -> Iterator[Path]:
        try:
            yield from sorted(path for path in self.folder.iterdir() if path.suffix == self.family.suffix)
        except OSError:
            return

    def add(self, root: Root) -> tuple[Command, ...]:
        """A copy for everybody to read, and the update."""
        target = self.folder / f"{root.file_name}{self.family.suffix}"
        copy = ("install", "-m", "0644", str(root.path), str(target))
        return self._elevated(copy, self._started(self.family.update))

    def remove(self, root: Root, names: tuple[str, ...]) -> tuple[Command, ...]:
        """Every file that holds it, whoever put it there."""
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
    """The store of this Linux; None when it is none that is known (NixOS has its own way)."""
    family = next((one for one in FAMILIES if (machine.root / one.folder).is_dir()), None)
    return None if family is None else SystemStore(machine=machine, family=family)

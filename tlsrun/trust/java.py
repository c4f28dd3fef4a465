"""Java's own store `cacerts`, unless it is linked to the system's (keytool(1))."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tlsrun.trust.machine import Machine
from tlsrun.trust.programs import run
from tlsrun.trust.root import Root
from tlsrun.trust.store import ROOT_ONLY, Command, Held, Obstacle

#: The default password of every Java's store.
PASSWORD = "changeit"  # noqa: S105 -- public, and protects nothing

_ALIAS = re.compile(r"^Alias name: (?P<alias>.*)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class JavaStore:
    """The store of one Java installation.

    Arguments:
        home: the installation's folder.
        cacerts: the file with its roots.
    """

    kind: ClassVar[str] = "java"
    machine: Machine
    home: Path
    cacerts: Path

    @property
    def title(self) -> str:
        """Its name in messages."""
        return f"Java ({self.home.name})"

    @property
    def place(self) -> str:
        """The file's path."""
        return str(self.cacerts)

    @property
    def keytool(self) -> str | None:
        """The path of this Java's own keytool, or of the one on the PATH."""
        own = self.home / "bin" / ("keytool.exe" if self.machine.system == "win32" else "keytool")
        return str(own) if own.is_file() else self.machine.tools.get("keytool")

    @property
    def obstacle(self) -> Obstacle | None:
        """keytool is missing, or the file cannot be written."""
        if self.keytool is None:
            return Obstacle(reason="keytool is not there", remedy="Install a JDK, which has it")
        if not self._writable and self.machine.elevation is None:
            return ROOT_ONLY
        return None

    @property
    def _writable(self) -> bool:
        return os.access(self.cacerts, os.W_OK)

    def _command(self, *arguments: str) -> Command:
        return (self.keytool or "keytool", *arguments, "-keystore", str(self.cacerts), "-storepass", PASSWORD)

    def _elevated(self, command: Command) -> Command:
        return command if self._writable else (*(self.machine.elevation or ()), *command)

    def held(self, root: Root) -> Held:
        """Find the root by its contents, since keytool changes names to lower case."""
        if self.keytool is None:
            return Held(trusted=None)
        listed = run(self._command("-J-Duser.language=en", "-list", "-rfc")).output
        starts = [*_ALIAS.finditer(listed)]
        ends = [*(match.start() for match in starts[1:]), len(listed)]
        names = tuple(
            start["alias"].strip()
            for start, end in zip(starts, ends, strict=True)
            if root.is_in(listed[start.end() : end].encode())
        )
        return Held(trusted=bool(names), names=names)

    def add(self, root: Root) -> tuple[Command, ...]:
        """Import it as a trusted certificate, without confirmation."""
        command = self._command("-importcert", "-noprompt", "-alias", root.names[0], "-file", str(root.path))
        return (self._elevated(command),)

    def remove(self, root: Root, names: tuple[str, ...]) -> tuple[Command, ...]:
        """Delete each entry."""
        return tuple(self._elevated(self._command("-delete", "-alias", name)) for name in names)


def java_stores(machine: Machine) -> Iterator[JavaStore]:
    """The store of the Java that ``$JAVA_HOME`` or the PATH names.

    Linux distributions link it into /etc, where the system's update command writes it; such a link is skipped.
    """
    home = machine.java_home
    for below in ("lib/security/cacerts", "jre/lib/security/cacerts") if home is not None else ():
        assert home is not None  # noqa: S101 -- for the type checker
        cacerts = home / below
        if cacerts.is_file() and not os.path.realpath(cacerts).startswith("/etc/"):
            yield JavaStore(machine=machine, home=home, cacerts=cacerts)
            return

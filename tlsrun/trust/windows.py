"""The user's store on Windows, which Edge, Chrome and Firefox read, by Windows' own certutil."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tlsrun.trust.machine import Machine
from tlsrun.trust.programs import run
from tlsrun.trust.root import Root
from tlsrun.trust.store import Command, Held, Obstacle

#: The full path, since NSS has a program of the same name.
CERTUTIL = r"C:\Windows\System32\certutil.exe"


@dataclass(frozen=True, kw_only=True)
class WindowsStore:
    """The user's "Trusted Root Certification Authorities"; Windows asks in a window whether it may."""

    kind: ClassVar[str] = "system"
    machine: Machine
    title: ClassVar[str] = "Trusted Root Certification Authorities (Windows)"
    place: ClassVar[str] = "the current user's store"
    obstacle: ClassVar[Obstacle | None] = None

    def held(self, root: Root) -> Held:
        """Find the root by its fingerprint."""
        there = run((CERTUTIL, "-user", "-verifystore", "Root", root.sha1)).ok
        return Held(trusted=there, names=(root.sha1,) if there else ())

    def add(self, root: Root) -> tuple[Command, ...]:
        """Add it to the user's store, which needs no administrator."""
        return ((CERTUTIL, "-user", "-addstore", "Root", str(root.path)),)

    def remove(self, root: Root, names: tuple[str, ...]) -> tuple[Command, ...]:
        """Delete it by its fingerprint."""
        return tuple((CERTUTIL, "-user", "-delstore", "Root", name) for name in names)

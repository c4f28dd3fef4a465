"""The system's keychain on macOS, which Safari, Chrome and curl read (security(1))."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tlsrun.trust.machine import Machine
from tlsrun.trust.programs import run
from tlsrun.trust.root import Root
from tlsrun.trust.store import Command, Held, Obstacle

KEYCHAIN = "/Library/Keychains/System.keychain"


@dataclass(frozen=True, kw_only=True)
class Keychain:
    """The keychain for all users; macOS asks for an administrator's password itself when its trust changes."""

    kind: ClassVar[str] = "system"
    machine: Machine
    title: ClassVar[str] = "the system's keychain (macOS)"
    place: ClassVar[str] = KEYCHAIN

    @property
    def obstacle(self) -> Obstacle | None:
        """Nobody may become root."""
        if self.machine.elevation is None:
            return Obstacle(reason="only root may change it, and there is no sudo", remedy="As root, run", by_hand=True)
        return None

    @property
    def _security(self) -> str:
        return self.machine.program("security")

    def held(self, root: Root) -> Held:
        """Whether it verifies as a root, and whether it lies in the keychain."""
        trusted = run((self._security, "verify-cert", "-l", "-L", "-q", "-c", str(root.path))).ok
        listed = run((self._security, "find-certificate", "-a", "-Z", KEYCHAIN)).output
        return Held(trusted=trusted, names=(root.sha1,) if root.sha1 in listed else ())

    def add(self, root: Root) -> tuple[Command, ...]:
        """Into the keychain, and trusted as a root."""
        security = (*(self.machine.elevation or ()), self._security)
        return ((*security, "add-trusted-cert", "-d", "-r", "trustRoot", "-k", KEYCHAIN, str(root.path)),)

    def remove(self, root: Root, names: tuple[str, ...]) -> tuple[Command, ...]:
        """The trust, then the certificate."""
        security = (*(self.machine.elevation or ()), self._security)
        return (
            (*security, "remove-trusted-cert", "-d", str(root.path)),
            (*security, "delete-certificate", "-Z", root.sha1, KEYCHAIN),
        )

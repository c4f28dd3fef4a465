"""The system keychain on macOS, which Safari, Chrome and curl read (security(1))."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tlsrun.trust.machine import Machine
from tlsrun.trust.programs import run
from tlsrun.trust.root import Root
from tlsrun.trust.store import ROOT_ONLY, Command, Held, Obstacle

KEYCHAIN = "/Library/Keychains/System.keychain"


@dataclass(frozen=True, kw_only=True)
class Keychain:
    """The keychain for all users. macOS itself asks for an administrator's password when its trust settings change."""

    kind: ClassVar[str] = "system"
    machine: Machine
    title: ClassVar[str] = "the system's keychain (macOS)"
    place: ClassVar[str] = KEYCHAIN

    @property
    def obstacle(self) -> Obstacle | None:
        """Root is needed and cannot be had."""
        return ROOT_ONLY if self.machine.elevation is None else None

    @property
    def _security(self) -> str:
        return self.machine.program("security")

    def held(self, root: Root) -> Held:
        """Whether it verifies as a root, and whether it is in the keychain."""
        trusted = run((self._security, "verify-cert", "-l", "-L", "-q", "-c", str(root.path))).ok
        listed = run((self._security, "find-certificate", "-a", "-Z", KEYCHAIN)).output
        return Held(trusted=trusted, names=(root.sha1,) if root.sha1 in listed else ())

    def add(self, root: Root) -> tuple[Command, ...]:
        """Add it to the keychain as a trusted root."""
        security = (*(self.machine.elevation or ()), self._security)
        return ((*security, "add-trusted-cert", "-d", "-r", "trustRoot", "-k", KEYCHAIN, str(root.path)),)

    def remove(self, root: Root, names: tuple[str, ...]) -> tuple[Command, ...]:
        """Remove the trust setting, then the certificate."""
        security = (*(self.machine.elevation or ()), self._security)
        return (
            (*security, "remove-trusted-cert", "-d", str(root.path)),
            (*security, "delete-certificate", "-Z", root.sha1, KEYCHAIN),
        )

"""What a store of trusted roots is, and what can be known and done about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

from tlsrun.trust.root import Root

#: A program and its arguments, as they are started: without a shell.
Command: TypeAlias = tuple[str, ...]

#: As mkcert's ``TRUST_STORES`` names them.
KINDS = ("system", "nss", "java")


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """Why a store cannot be changed from here.

    Arguments:
        reason: in words.
        remedy: what to do, as a line or command to type.
        by_hand: whether a person can type the store's own commands as they are.
    """

    reason: str
    remedy: str
    by_hand: bool = False


@dataclass(frozen=True, kw_only=True)
class Held:
    """What a store has of a root.

    Arguments:
        trusted: whether what reads the store trusts it; None where that cannot be known.
        names: under which it is there, trusted or not.
    """

    trusted: bool | None
    names: tuple[str, ...] = ()


class TrustStore(Protocol):
    """A store. `add` and `remove` only say what is to be done.

    Attributes:
        kind: one of `KINDS`.
    """

    kind: ClassVar[str]

    @property
    def title(self) -> str:
        """What people call it."""

    @property
    def place(self) -> str:
        """Where it is."""

    @property
    def obstacle(self) -> Obstacle | None:
        """Why it cannot be changed from here; None when it can."""

    def held(self, root: Root) -> Held:
        """What it has of ``root`` now."""

    def add(self, root: Root) -> tuple[Command, ...]:
        """The commands that have it trust ``root``."""

    def remove(self, root: Root, names: tuple[str, ...]) -> tuple[Command, ...]:
        """The commands that take out what it has under ``names``."""

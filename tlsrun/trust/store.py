"""The interface of a store of trusted roots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

from tlsrun.trust.root import Root

#: A program and its arguments, to be started without a shell.
Command: TypeAlias = tuple[str, ...]

#: Kinds of stores, as in mkcert's ``TRUST_STORES``.
KINDS = ("system", "nss", "java")


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """Why a store cannot be changed from here.

    Arguments:
        reason: the reason, for a message.
        remedy: what to do, as a line or command to type.
        by_hand: whether the user can type the store's own commands as they are.
    """

    reason: str
    remedy: str
    by_hand: bool = False


#: The store belongs to root, and this user cannot become root.
ROOT_ONLY = Obstacle(reason="only root may change it, and there is no sudo", remedy="As root, run", by_hand=True)


@dataclass(frozen=True, kw_only=True)
class Held:
    """What a store holds of a root.

    Arguments:
        trusted: whether programs that read the store trust the root; None if that cannot be found out.
        names: the names of its entries, trusted or not.
    """

    trusted: bool | None
    names: tuple[str, ...] = ()


class TrustStore(Protocol):
    """A store. `add` and `remove` only return the commands to run.

    Attributes:
        kind: one of `KINDS`.
    """

    kind: ClassVar[str]

    @property
    def title(self) -> str:
        """Its name in messages."""

    @property
    def place(self) -> str:
        """Its path or location."""

    @property
    def obstacle(self) -> Obstacle | None:
        """Why it cannot be changed from here; None if it can."""

    def held(self, root: Root) -> Held:
        """What it holds of ``root`` now."""

    def add(self, root: Root) -> tuple[Command, ...]:
        """The commands that make it trust ``root``."""

    def remove(self, root: Root, names: tuple[str, ...]) -> tuple[Command, ...]:
        """The commands that remove the entries ``names``."""

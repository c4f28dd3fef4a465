"""How a setting reaches a server: by an option of the server, by tlsrun itself, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True)
class To:
    """The server has an option for it.

    Arguments:
        name: the option in the server's spelling.
    """

    name: str


@dataclass(frozen=True)
class Ours:
    """tlsrun implements it, in front of or inside the server.

    Arguments:
        how: a few words for the support table.
    """

    how: str


@dataclass(frozen=True)
class Unsupported:
    """The server cannot honour it; setting it is an error before the start.

    Arguments:
        reason: completes a sentence that begins with the server's name.
        accepts: values that ask for nothing and so are no error, usually the default.
        allows: whether it can honour a particular value all the same; None if it can honour only ``accepts``.
    """

    reason: str
    accepts: tuple[Any, ...] = ()
    allows: Callable[[Any], bool] | None = None

    def honours(self, value: Any) -> bool:
        """Whether the server can honour ``value``."""
        return value in self.accepts or (self.allows is not None and self.allows(value))


Cell: TypeAlias = To | Ours | Unsupported

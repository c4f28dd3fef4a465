"""How one setting reaches one server: by the server's own option, by us, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias


def _unchanged(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class To:
    """The server has an option for it.

    Arguments:
        name: the option as the server spells it.
        convert: from our value to the server's.
    """

    name: str
    convert: Callable[[Any], Any] = _unchanged


@dataclass(frozen=True)
class Ours:
    """tlsrun does it itself, in front of or inside the server.

    Arguments:
        how: in a few words, for the support table.
    """

    how: str


@dataclass(frozen=True)
class Unsupported:
    """The server cannot honour it: asking for it is an error before start.

    Arguments:
        reason: why, as the second half of a sentence that begins with the server's name.
        accepts: values that change nothing and so are no error (the default, mostly).
        allows: whether it can honour a value all the same; None where it can honour none but those.
    """

    reason: str
    accepts: tuple[Any, ...] = ()
    allows: Callable[[Any], bool] | None = None

    def honours(self, value: Any) -> bool:
        """Whether ``value`` is none of those that it cannot honour."""
        return value in self.accepts or (self.allows is not None and self.allows(value))


Cell: TypeAlias = To | Ours | Unsupported

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
    """

    reason: str
    accepts: tuple[Any, ...] = ()


Cell: TypeAlias = To | Ours | Unsupported

"""The kind of value of the setting ``bind``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tlsrun.endpoint import Endpoint
from tlsrun.listening.address import EXPECTED, parse_bind
from tlsrun.settings.kinds import Kind, Wrong, words_of_list


def _binds(raw: Any) -> tuple[str, ...]:
    words = words_of_list(raw)
    if not words:
        raise ValueError("an empty list")
    for word in words:
        try:
            parse_bind(word)
        except ValueError as error:
            raise Wrong(f"{error} ({word})" if len(words) > 1 else str(error)) from error
    return words


BIND = Kind(
    expects=f"{EXPECTED} (in text: with commas or spaces between)", parse=_binds, metavar="ADDRESSES", repeatable=True
)


def only_here(words: Iterable[str]) -> bool:
    """Whether only this machine can connect, as far as the setting tells; the addresses of inherited sockets are not
    known here."""
    places = [parse_bind(word) for word in words]
    return all(place.is_loopback for place in places if isinstance(place, Endpoint))


def is_one_endpoint(words: tuple[str, ...]) -> bool:
    """Whether the setting names a single TCP endpoint and nothing else."""
    return len(words) == 1 and isinstance(parse_bind(words[0]), Endpoint)

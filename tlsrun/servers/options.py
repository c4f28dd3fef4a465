"""``server_options``: which of a server's own options are accepted, which are refused and why, and their values.

Each server has two tables: options that are allowed, and options that are refused. An option in neither (new in the
server) is rejected until somebody has reviewed what it does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tlsrun.errors import ConfigurationError, Problem, did_you_mean

#: Parses the given value of an option. Its docstring is part of the error message: "Expected …".
Parse = Callable[[Any], Any]


def instead(*names: str) -> str:
    """Return the remedy for an option that duplicates our settings ``names``."""
    keys = " and ".join(f"TLS_{name.upper()}" for name in names)
    return f"Set {keys} (--{names[0].replace('_', '-')}) instead"


def integer(least: int, most: int = 2**31) -> Parse:
    """Return a parser of whole numbers from ``least`` to ``most``, inclusive."""

    def parse(value: Any) -> int:
        if isinstance(value, (bool, float)) or not least <= int(value) <= most:
            raise ValueError
        return int(value)

    parse.__doc__ = f"a whole number from {least}" + (f" to {most}" if most < 2**31 else "")
    return parse


def seconds(value: Any) -> float:
    """seconds, above 0"""
    number = float(value)
    if isinstance(value, bool) or not 0 < number < 1e9:
        raise ValueError
    return number


def boolean(value: Any) -> bool:
    """true or false"""
    word = str(value).lower()
    if word not in ("true", "yes", "on", "1", "false", "no", "off", "0"):
        raise ValueError
    return word in ("true", "yes", "on", "1")


def text(value: Any) -> str:
    """text"""
    if not isinstance(value, str):
        raise TypeError
    return value


def path(value: Any) -> Path:
    """a path"""
    return Path(value)


def several(one: Parse) -> Parse:
    """Return a parser of a list of ``one``; a single value stands for a list with one item."""

    def parse(value: Any) -> list[Any]:
        return [one(part) for part in ([value] if isinstance(value, (str, Path)) else value)]

    parse.__doc__ = f"a list, each {one.__doc__}"
    return parse


def mapping(value: Any) -> dict[str, Any]:
    """a mapping of names to values (in text: JSON)"""
    found = json.loads(value) if isinstance(value, str) else value
    if not isinstance(found, Mapping):
        raise TypeError
    return dict(found)


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """The options of one server.

    Arguments:
        title: the server's name in messages.
        noun: what the server calls an option ("option", "setting").
        help: where its options are documented, for messages.
        allowed: option -> parser of its value.
        refused: option -> why it is refused, and what to do instead.
    """

    title: str
    noun: str
    help: str
    allowed: Mapping[str, Parse]
    refused: Mapping[str, tuple[str, str]]

    def where(self, name: str) -> str:
        """Return how messages refer to an option."""
        return f"server_options, {self.title}'s {name}"

    def read(self, given: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
        """Parse the given options.

        Arguments:
            known: the options of the installed version of the server.

        Raises:
            ConfigurationError: options are unknown, refused or have bad values; reports all of them at once.
        """
        options = {
            name if name in known else name.lstrip("-").replace("-", "_"): value for name, value in given.items()
        }
        problems = list(self._problems(options, known))
        values = {}
        for name, value in options.items() if not problems else ():
            try:
                values[name] = self.allowed[name](value)
            except (ValueError, TypeError, KeyError) as error:
                problems.append(self._bad_value(name, value, error))
        if problems:
            raise ConfigurationError(problems)
        return values

    def _problems(self, options: Mapping[str, Any], known: frozenset[str]) -> Iterator[Problem]:
        for name in options:
            if name in self.refused:
                why, remedy = self.refused[name]
                yield Problem(where=self.where(name), what=why, remedy=remedy)
            elif name not in known:
                what = f"{self.title} has no such {self.noun}"
                yield Problem(where=self.where(name), what=what, remedy=self._did_you_mean(name, known))
            elif name not in self.allowed:
                what = f"tlsrun does not know yet what this {self.noun} does, and passes on only what it knows"
                yield Problem(where=self.where(name), what=what, remedy="Leave it out")

    def _bad_value(self, name: str, value: Any, error: Exception) -> Problem:
        words = f" ({error})" if str(error) and len(str(error)) < 100 else ""
        what = f"{value!r} cannot be used{words}"
        return Problem(where=self.where(name), what=what, remedy=f"Expected {self.allowed[name].__doc__}")

    def _did_you_mean(self, name: str, known: frozenset[str]) -> str:
        return did_you_mean(name.lower(), known - set(self.refused), f"See {self.help}")

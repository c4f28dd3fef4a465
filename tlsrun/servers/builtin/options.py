"""The options of the built-in server, as ``server_options`` gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from tlsrun.deciding.plan import Plan
from tlsrun.errors import ConfigurationError, Problem, did_you_mean


@dataclass(frozen=True, kw_only=True)
class BuiltinOptions:
    """The options; times are in seconds.

    Arguments:
        keep_alive: time to wait for the first or next request of a connection.
        head_timeout: time for a whole request head, from its first byte.
        body_timeout: time to wait for more of a request's body.
        write_timeout: time to wait for a client to take more of a response.
        grace: time for running requests to finish after SIGTERM or Ctrl-C.
        max_connections: the most connections; for one more, the one that has been idle longest is closed.
        backlog: the most connections that wait to be accepted (listen(2)).
        reloader_interval: time between two checks of the source files.
        reloader_type: Werkzeug's type of reloader: ``auto``, ``stat`` or ``watchdog``.
        evalex: whether Werkzeug's debugger executes Python from its page.
    """

    keep_alive: float = 15.0
    head_timeout: float = 10.0
    body_timeout: float = 15.0
    write_timeout: float = 60.0
    grace: float = 30.0
    max_connections: int = 1024
    backlog: int = 1024
    reloader_interval: float = 1.0
    reloader_type: str = "auto"
    evalex: bool = True


_MAY_BE_ZERO = ("grace",)
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")


def names() -> frozenset[str]:
    """The names of all options."""
    return frozenset(field.name for field in fields(BuiltinOptions))


def read(plan: Plan) -> BuiltinOptions:
    """The options of a plan; see `read_options`."""
    return read_options(plan.server_options)


def read_options(given: Mapping[str, Any]) -> BuiltinOptions:
    """The options from ``given``, the others with their defaults; numbers and booleans may be text.

    Raises:
        ConfigurationError: names are unknown, or values invalid; lists them all.
    """
    kinds = {field.name: type(field.default) for field in fields(BuiltinOptions)}
    problems, values = [], {}
    for name, value in given.items():
        if name not in kinds:
            problems.append(_unknown(name))
            continue
        try:
            values[name] = _convert(value, kinds[name], name)
        except ValueError as error:
            problems.append(Problem(where=_where(name), what=f"{value!r} is {error}", remedy="Correct the value"))
    if problems:
        raise ConfigurationError(problems)
    return BuiltinOptions(**values)


def _where(name: str) -> str:
    return f"{name} in server_options"


def _unknown(name: str) -> Problem:
    remedy = did_you_mean(name, names(), f"It has: {', '.join(sorted(names()))}")
    return Problem(where=_where(name), what="the built-in server has no such option", remedy=remedy)


def _convert(value: Any, kind: type, name: str) -> Any:
    if kind is bool:
        word = str(value).lower()
        if word not in _TRUE + _FALSE:
            raise ValueError("neither true nor false")
        return word in _TRUE
    if kind is str:
        if value not in ("auto", "stat", "watchdog"):
            raise ValueError("not one of auto, stat, watchdog")
        return value
    try:
        number = kind(value)
        if kind is int and isinstance(value, float) and number != value:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise ValueError("not a number" if kind is float else "not a whole number") from None
    least = 0 if name in _MAY_BE_ZERO else None
    if not (number > 0 or number == least) or number > 86400 * 365:
        raise ValueError("not above 0")
    return number

"""Options for every setting, derived from the table, and the layers that result from them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from tlsrun.settings.layers import Given, Layer, slips
from tlsrun.settings.table import DEFAULTS, SPECS, flag, option_name

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class _Whole(click.types.StringParamType):
    """The value of an option that may be repeated, while its environment variable is a single text.

    click would split the variable at white space, even inside JSON or quotes; the setting's kind parses it instead.
    """

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        """The variable as one value."""
        return (rv,)


def setting_options(function: Decorated) -> Decorated:
    """Add an option for every setting that is allowed on a command line.

    click does not parse the values, so that the problems of all layers can be reported together later.
    """
    return with_options(*filter(None, map(_option, SPECS)))(function)


def with_options(*options: Callable[[Any], Any]) -> Callable[[Decorated], Decorated]:
    """A decorator that adds several options, which `--help` lists in this order."""

    def add(function: Decorated) -> Decorated:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def _option(name: str) -> Callable[[Any], Any] | None:
    spec, long = SPECS[name], flag(name)
    if long is None:
        return None
    default = getattr(DEFAULTS, name)
    words = spec.help.replace("`", "") + ("" if default in (None, {}, (), True, False) else f"  [default: {default}]")
    declarations = ([f"-{spec.short}"] if spec.short else []) + [long]
    parameter = option_name(name)
    if spec.kind.metavar == "BOOLEAN":
        return click.option(f"{long}/--no-{long.removeprefix('--')}", parameter, default=None, help=words)
    return click.option(
        *declarations,
        parameter,
        type=_Whole(),
        metavar=spec.kind.metavar,
        multiple=spec.kind.repeatable,
        default=None,
        help=words,
    )


def command_line_layers(context: click.Context, values: Mapping[str, Any]) -> list[Layer]:
    """The layers from the command line and from click's own variables (``FLASK_TLSRUN_CERT``).

    Arguments:
        values: click's parameters; those that are not settings are ignored.
    """
    written: dict[str, Given] = {}
    from_environment: dict[str, Given] = {}
    for name in SPECS:
        parameter = option_name(name)
        value, source = values.get(parameter), context.get_parameter_source(parameter)
        if value is None or value == () or source is None:
            continue
        if source is ParameterSource.ENVIRONMENT:
            variable = f"{context.auto_envvar_prefix}_{parameter.upper()}"
            value = value[0] if SPECS[name].kind.repeatable else value
            from_environment[name] = Given(value=value, spelling=f"{variable} in the environment")
        elif source is not ParameterSource.DEFAULT:
            written[name] = Given(value=value, spelling=str(flag(name)))
    prefix = f"{context.auto_envvar_prefix}_"
    known = [f"{prefix}{parameter.name.upper()}" for parameter in context.command.params if parameter.name]
    warnings = slips(os.environ, prefix, known) if context.auto_envvar_prefix else ()
    return [
        Layer(name="command line", given=written),
        Layer(name="environment", given=from_environment, warnings=warnings),
    ]

"""Flags for every setting, derived from the table, and the layers that click read from them."""

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
    """Text of a flag that may be repeated, but whose variable is one text.

    click would split a variable at white space, JSON and quoted values too; the setting's kind knows how it is meant.
    """

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        """The variable as it stands."""
        return (rv,)


def setting_options(function: Decorated) -> Decorated:
    """Add a flag for every setting that may stand on a command line.

    They are not parsed by click: all problems, of every layer, are said together later.
    """
    for name in reversed(list(SPECS)):
        option = _option(name)
        if option is not None:
            function = option(function)
    return function


def _option(name: str) -> Callable[[Decorated], Decorated] | None:
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
    """What click took from the command line, and from its own variables (``FLASK_TLSRUN_CERT``).

    Arguments:
        values: click's parameters; those that are no settings are passed over.
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

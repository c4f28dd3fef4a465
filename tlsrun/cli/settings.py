"""`tlsrun settings`: the settings in force and who set them, and the reference of all settings."""

from __future__ import annotations

from typing import Any

import click

from tlsrun import servers
from tlsrun.apps.layers import app_layers
from tlsrun.cli.console import fail, warn
from tlsrun.cli.loading import load_app
from tlsrun.cli.options import command_line_layers, setting_options
from tlsrun.cli.support import setting_table, support_table
from tlsrun.errors import ConfigurationError
from tlsrun.settings.layers import Resolution, environment_layer, resolve
from tlsrun.settings.reference import settings_reference, shown
from tlsrun.settings.table import SPECS
from tlsrun.settings.words import SERVERS


@click.group("settings")
def settings_group() -> None:
    """See what is configured.

    \b
    tlsrun settings show hello:app --port 8443    every setting in force, and who set it
    tlsrun settings table                         the reference of every setting, in Markdown
    tlsrun settings support                       what each server does with each of them, in Markdown
    """


def settings_lines(resolution: Resolution) -> list[str]:
    """A line for each setting, in columns: name, value, who set it."""
    rows = []
    for name in SPECS:
        origin = resolution.origins.get(name)
        said_by = f"{origin.layer}: {origin.spelling}" if origin else "default"
        rows.append((name, shown(name, getattr(resolution.settings, name)), said_by))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return [f"{name:<{widths[0]}}  {value:<{widths[1]}}  {said_by}" for name, value, said_by in rows]


@settings_group.command()
@click.argument("app", required=False)
@setting_options
@click.pass_context
def show(context: click.Context, /, app: str | None, **values: Any) -> None:
    """Print every setting in force, and who set it.

    \b
    tlsrun settings show
    tlsrun settings show hello:app
    TLSRUN_PORT=8443 tlsrun settings show hello:app --server gunicorn
    """
    layers = [*command_line_layers(context, values), environment_layer()]
    if app is not None:
        layers += app_layers(load_app(app))
    resolution = resolve(layers)
    for line in settings_lines(resolution):
        click.echo(line)
    warn(resolution.warnings)
    if resolution.problems:
        fail(ConfigurationError(resolution.problems))


@settings_group.command()
def table() -> None:
    """Print the reference of every setting, in Markdown.

    \b
    tlsrun settings table | less
    tlsrun settings table > settings.md
    """
    click.echo(settings_reference(), nl=False)


@settings_group.command("support")
@click.argument("setting", required=False, type=click.Choice(list(SPECS)), metavar="[SETTING]")
def support_command(setting: str | None) -> None:
    """Print what each server does with each setting, or with one of them, in Markdown.

    \b
    tlsrun settings support
    tlsrun settings support client_auth
    """
    mappings = {name: servers.load(name).facts.mapping for name in SERVERS}
    click.echo(setting_table(setting, mappings) if setting else support_table(mappings), nl=False)

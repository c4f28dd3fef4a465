"""The `tlsrun` command and its subcommands."""

from __future__ import annotations

import importlib
from typing import Any

import click

from tlsrun import __version__
from tlsrun.apps.layers import app_layers
from tlsrun.cli.launching import Job, serve_or_exit
from tlsrun.cli.loading import load_app
from tlsrun.cli.options import command_line_layers, setting_options
from tlsrun.settings.layers import environment_layer

#: Subcommands, each with its module and its name there.
_SUBCOMMANDS = {
    "cert": ("tlsrun.cli.cert", "cert_group"),
    "check": ("tlsrun.cli.check", "check_command"),
    "export": ("tlsrun.cli.export", "export_command"),
    "settings": ("tlsrun.cli.settings", "settings_group"),
    "status": ("tlsrun.cli.status", "status_command"),
    "trust": ("tlsrun.cli.trust", "trust_command"),
}


class _LoadsWhenNamed(click.Group):
    """Its subcommands are imported when one is named: a server starts without what only `tlsrun check` needs.

    Source: "Lazily Loading Subcommands" in click's documentation.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Those imported already, and the others."""
        return sorted({*super().list_commands(ctx), *_SUBCOMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The one of this name; none when there is none."""
        if cmd_name not in _SUBCOMMANDS:
            return super().get_command(ctx, cmd_name)
        module, name = _SUBCOMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=_LoadsWhenNamed, context_settings={"help_option_names": ["--help"]})
@click.version_option(__version__, prog_name="tlsrun")
def tlsrun() -> None:
    """HTTPS for Flask, Bottle and any WSGI application: one TLS configuration, any server.

    \b
    tlsrun run hello:app                        the application `app` in hello.py, on a development certificate
    tlsrun run hello:app --server gunicorn --workers 2 --cert fullchain.pem --key privkey.pem
    tlsrun run "shop:create_app()" --port 8443  what a factory makes
    tlsrun check hello:app                      what is wrong, what is odd, and how to fix it
    tlsrun export nginx hello:app               the same as another program's own file
    tlsrun settings show hello:app              every setting in force, and who set it
    tlsrun settings table                       every setting there is
    """


@tlsrun.command()
@click.argument("app", required=False)
@setting_options
@click.option("--quiet", is_flag=True, help="Print no banner and no access log.")
@click.pass_context
def run(context: click.Context, /, app: str | None, quiet: bool, **values: Any) -> None:
    """Serve an application over HTTPS.

    \b
    tlsrun run hello:app
    tlsrun run pkg/main.py
    tlsrun run pkg.main:app --server gunicorn --workers 2
    tlsrun run "pkg.main:create_app('production')" --host 0.0.0.0 --port 443 --cert fullchain.pem --key privkey.pem
    tlsrun run hello:app --server uwsgi --server-options harakiri=30 --server-options max-requests=1000

    APP is module:name, a file, or a factory call; Flask and Bottle applications and any WSGI callable will do.
    Without it, wsgi.py or app.py in this folder is looked for. Settings that are not given here come from the
    environment (TLSRUN_*), then from the application's own configuration.
    """
    found = load_app(app)
    layers = [*command_line_layers(context, values), environment_layer(), *app_layers(found)]
    job = Job(
        application=found.application,
        framework=found.framework,
        layers=layers,
        name=found.target,
        quiet=quiet,
    )
    context.exit(serve_or_exit(job))

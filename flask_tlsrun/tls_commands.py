"""The commands of `flask tls`, which register themselves in the group."""

from __future__ import annotations

import copy
from typing import Any

import click
from flask.cli import ScriptInfo, pass_script_info

from flask_tlsrun.tls_group import tls_group
from tlsrun.cli.cert import cert_group
from tlsrun.cli.check import check, check_options, default_application
from tlsrun.cli.export import export_file, export_options
from tlsrun.cli.options import setting_options
from tlsrun.cli.trust import trust_command
from tlsrun.settings.layers import environment_layer


@tls_group.command("check")
@check_options
@setting_options
@pass_script_info
@click.pass_context
def check_command(context: click.Context, info: ScriptInfo, /, **values: Any) -> None:
    """Say what is wrong, what is odd, and how to fix it: files, configuration, server, live socket, application.

    \b
    flask tls check                              all of it; the server that is configured is asked too, if it runs
    flask --app shop:create_app tls check --server gunicorn
    flask tls check --url https://example.org    the same, and the server there
    flask tls check --json --strict              for machines: exit code 1 for warnings, 2 for errors
    flask tls check --explain TLS111             why a finding matters, and how to fix it

    It starts nothing and changes nothing. The application is imported in processes of their own, once as a library
    and once as a script.
    """
    application = info.app_import_path or default_application()
    check(
        context,
        values,
        application=application,
        layers=[environment_layer()],
        framework="flask",
        prepare="flask_tlsrun.extension:prefer_https",
    )


@tls_group.command("export")
@click.argument("target")
@export_options
@setting_options
@pass_script_info
@click.pass_context
def export_command(context: click.Context, info: ScriptInfo, /, target: str, **values: Any) -> None:
    """Write the configuration as another program's own file.

    \b
    flask tls export nginx --cert fullchain.pem --key privkey.pem      nginx speaks HTTP to gunicorn
    flask --app shop:create_app tls export caddy --hosts example.org   with a certificate that Caddy obtains
    flask tls export systemd --cert fullchain.pem --key privkey.pem -o units
    flask tls export kubernetes --hosts example.org -o hello.yaml

    \b
    TARGET is one of
      nginx, apache, haproxy, caddy             TLS ends there, in front of the application
      uwsgi-ini, gunicorn-conf, hypercorn-toml  a server by its own command
      systemd, procfile                         a service; Heroku and its like
      dockerfile, compose, kubernetes           containers

    The certificate is what is set: TLS_CERT and TLS_KEY in app.config, or --cert and --key. What the target cannot say
    is an error, and nothing is written.
    """
    export_file(context, values, target=target, app=info.app_import_path)


def _as_typed_here(command: click.Command) -> click.Command:
    """A copy of the command with the examples in its help changed to ``flask tls``."""
    here = copy.copy(command)
    here.help = (command.help or "").replace("tlsrun cert", "flask tls cert").replace("tlsrun trust", "flask tls trust")
    if isinstance(here, click.Group):
        here.commands = {name: _as_typed_here(one) for name, one in here.commands.items()}
    return here


tls_group.add_command(_as_typed_here(cert_group))
tls_group.add_command(_as_typed_here(trust_command))

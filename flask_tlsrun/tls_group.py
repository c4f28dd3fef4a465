"""The command group `flask tls`: everything about certificates that is not serving."""

from __future__ import annotations

import importlib

import click


class _Group(click.Group):
    """A group whose commands are imported on demand, since every `flask` command loads this module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """As the class below."""
        importlib.import_module("flask_tlsrun.tls_commands")
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """As the class below."""
        importlib.import_module("flask_tlsrun.tls_commands")
        return super().get_command(ctx, cmd_name)


@click.group("tls", cls=_Group, short_help="Certificates: check, make, look at, trust.")
def tls_group() -> None:
    """Certificates: see whether HTTPS will work, make a development certificate, have browsers trust it.

    \b
    flask tls check                              files, configuration, server, live socket, application
    flask tls check --url https://example.org    the same, and the server there
    flask tls cert app.test "*.app.test"         a development certificate for these names
    flask tls cert show https://example.org      what a certificate says
    flask tls export nginx --upstream uwsgi      the same configuration as another program's own file
    flask tls trust                              have this machine's browsers trust the development CA
    """

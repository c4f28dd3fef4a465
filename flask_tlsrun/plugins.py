"""The entry points for `flask`: names with a short help, while the commands themselves are imported on demand."""

from __future__ import annotations

import importlib
from collections.abc import MutableMapping
from typing import Any

import click


class LazyCommand(click.Command):
    """A command that is imported when it is run, or when its help or completion is needed.

    Flask loads the commands of every installed package for each `flask run`, `flask shell` and `flask db upgrade`.

    Arguments:
        name: the command's name.
        target: the command itself, as ``module:attribute``.
        short_help: its line in `flask --help`.
    """

    def __init__(self, name: str, *, target: str, short_help: str) -> None:
        super().__init__(name, short_help=short_help)
        self._target = target

    @property
    def command(self) -> click.Command:
        """The command itself."""
        module, _, attribute = self._target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 -- for the type checker: the targets are below
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """A context of the command itself, whose parser reads the arguments; completion needs that, too."""
        return self.command.make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command itself."""
        return self.command.invoke(ctx)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The parameters of the command itself."""
        return self.command.get_params(ctx)

    def to_info_dict(self, ctx: click.Context) -> MutableMapping[str, Any]:  # type: ignore[override]
        """The description of the command itself, for documentation tools."""
        return self.command.to_info_dict(ctx)


tlsrun_command = LazyCommand(
    "tlsrun", target="flask_tlsrun.cli:tlsrun_command", short_help="Serve the application over HTTPS."
)
tls_group = LazyCommand(
    "tls", target="flask_tlsrun.tls_group:tls_group", short_help="Certificates: check, make, look at, trust."
)

"""The commands that somebody can type, of a group and all groups below it."""

from __future__ import annotations

from collections.abc import Iterator

import click


def commands(root: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """``root`` and all below it, each with what is typed for it."""
    yield name, root
    if isinstance(root, click.Group):
        context = click.Context(root)
        for word in root.list_commands(context):
            below = root.get_command(context, word)
            assert below is not None
            yield from commands(below, f"{name} {word}")

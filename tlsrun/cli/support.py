"""What each server does with each setting, as Markdown, from the servers' own mappings."""

from __future__ import annotations

from collections.abc import Mapping

from tlsrun.settings.mapping import Cell, Ours, To
from tlsrun.settings.table import SPECS

_HEAD = """\
# What each server does with each setting

A name in code style is the server's own option, which the setting is handed over to. Words say how tlsrun does it
itself. "No" means that the setting is refused before the start, with this reason, unless its value changes nothing;
"in part", that some values are.
"""


def cell_words(cell: Cell) -> str:
    """The text of a cell."""
    if isinstance(cell, To):
        return f"`{cell.name}`"
    if isinstance(cell, Ours):
        return cell.how
    return f"**{'no' if cell.allows is None else 'in part'}:** it {cell.reason}"


def setting_table(name: str, mappings: Mapping[str, Mapping[str, Cell]]) -> str:
    """What each server does with the setting ``name``."""
    rows = [f"| {server} | {cell_words(mapping[name])} |" for server, mapping in mappings.items()]
    return "\n".join([f"| server | `{name}` |", "| --- | --- |", *rows, ""])


def support_table(mappings: Mapping[str, Mapping[str, Cell]]) -> str:
    """The whole page.

    Arguments:
        mappings: server -> setting -> how it reaches the server.
    """
    rows = [["setting", *mappings], ["---"] * (len(mappings) + 1)]
    rows += [[f"`{name}`", *(cell_words(mapping[name]) for mapping in mappings.values())] for name in SPECS]
    return "\n".join([_HEAD, *(f"| {' | '.join(row)} |" for row in rows), ""])

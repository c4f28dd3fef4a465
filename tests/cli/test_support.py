"""tlsrun.cli.support: the table of what each server does with each setting."""

from __future__ import annotations

import re
import sys

from tests.support.process import ROOT, run
from tlsrun.cli.support import cell_words, support_table
from tlsrun.settings.mapping import Ours, To, Unsupported
from tlsrun.settings.table import SPECS
from tlsrun.settings.words import SERVERS


def test_words() -> None:
    """An option in code style, our own way in words, a refusal with its reason."""
    assert cell_words(To("bind")) == "`bind`"
    assert cell_words(Ours("the edge")) == "the edge"
    assert cell_words(Unsupported("has one process")) == "**no:** it has one process"


def test_every_setting_has_a_row() -> None:
    """In the order of the table, under every server."""
    rows = support_table({"one": dict.fromkeys(SPECS, To("x")), "two": dict.fromkeys(SPECS, Ours("y"))}).splitlines()
    assert [row for row in rows if row.startswith("| `")] == [f"| `{name}` | `x` | y |" for name in SPECS]


def test_the_page_is_what_the_command_prints() -> None:
    """docs/reference/support.md is generated; the command needs none of the servers to be installed."""
    printed = run([sys.executable, "-m", "tlsrun", "settings", "support"])
    assert printed.returncode == 0, printed.stderr
    assert all(f"| {name} " in printed.stdout for name in SERVERS)
    assert printed.stdout == (ROOT / "docs/reference/support.md").read_text()


def test_tables_of_one_setting_are_what_the_command_prints() -> None:
    """Where a page shows one, the comment above it names the command."""
    shown = [
        (path, command.split(), table)
        for path in ROOT.glob("docs/**/*.md")
        for command, table in re.findall(r"<!-- tlsrun (settings support \w+) -->\n((?:\|.*\n)+)", path.read_text())
    ]
    assert shown
    for path, command, table in shown:
        assert run([sys.executable, "-m", "tlsrun", *command]).stdout == table, f"{path}: {command}"

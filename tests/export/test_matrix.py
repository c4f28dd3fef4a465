"""Every setting in every file: it takes effect, is refused, or stands there as a note; and no other way is left."""

from __future__ import annotations

import re

import pytest

from tests.export.matrix import ANSWERS, COLUMNS, NARROW, Files, exported, settings_with
from tlsrun.settings.table import SPECS, environment_variable, flag

_column = pytest.mark.parametrize("column", COLUMNS, ids="-".join)


def test_the_table_is_whole() -> None:
    """A new setting, target or form needs an answer here."""
    assert list(ANSWERS) == COLUMNS
    for column, answers in ANSWERS.items():
        assert list(answers) == list(SPECS), column
        assert set(answers.values()) <= set("ERN"), column


@_column
@pytest.mark.usefixtures("in_project")
def test_refused(column: tuple[str, str], files: Files) -> None:
    """By its flag, in a line; and nothing is written."""
    for name in settings_with(column, "R"):
        done = exported(column, [name], files)
        spelled = flag(name) or environment_variable(name)
        assert done.exit_code == 2, (name, done.output)
        assert re.search(rf"^Error: {spelled}\b|^Error: {name} with", done.stderr, re.MULTILINE), (name, done.stderr)
        assert done.stdout == ""


@_column
@pytest.mark.usefixtures("in_project")
def test_noted(column: tuple[str, str], files: Files) -> None:
    """In the comment on top of the file, and as a warning."""
    noted = settings_with(column, "N")
    for names in ([name for name in noted if (name in NARROW) is narrow] for narrow in (False, True)):
        if names:
            _assert_noted(column, names, files)


def _assert_noted(column: tuple[str, str], names: list[str], files: Files) -> None:
    done = exported(column, names, files)
    assert done.exit_code == 0, done.stderr
    head = " ".join(line.lstrip("#; ") for line in done.stdout.splitlines() if line.startswith(("#", ";")))
    for name in names:
        spelled = flag(name) or f"{environment_variable(name)} in the environment"
        assert re.search(rf"{spelled}\b.{{0,40}}: ", head), (name, head)
        assert f"Warning: {spelled}" in done.stderr, (name, done.stderr)

"""Finds imports that work differently in a script and in a library, without running anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tlsrun.apps.statements import Import, has_guard, imports_in
from tlsrun.apps.target import has_module, locate
from tlsrun.errors import Problem

#: The most files that are read.
_MOST_FILES = 1000


def import_differences(file: Path) -> tuple[Problem, ...]:
    """Imports that work only one way, in the application's file and the project's files that it imports.

    ``python pkg/main.py`` runs the file as ``__main__`` with its own folder to import from. Flask, gunicorn, uWSGI and
    mod_wsgi import it as ``pkg.main``, from the folder above its packages.

    Arguments:
        file: the file with the application.

    Returns:
        a problem for each such import statement.
    """
    main = _Main(file.resolve())
    found: list[Problem] = []
    for statement in _all_imports(main):
        problem = _script_only(main, statement) or _library_only(main, statement) or _twice(main, statement)
        if problem is not None:
            found.append(problem)
    return tuple(found)


class _Main:
    """The application's file, and its name in both cases."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.name, self.root = locate(str(file))
        self.is_script = has_guard(file)
        self.in_package = self.root != file.parent

    @property
    def as_module(self) -> str:
        return f"python -m {self.name}"


def _all_imports(main: _Main) -> Iterator[Import]:
    """All statements that run at import, beginning with the application's file."""
    ahead, seen = [main.file], {main.file}
    while ahead and len(seen) < _MOST_FILES:
        for statement in imports_in(ahead.pop(0)):
            if not statement.at_import:
                continue
            yield statement
            new = [file for file in _files(main, statement) if file not in seen]
            seen.update(new)
            ahead.extend(new)


def _files(main: _Main, statement: Import) -> list[Path]:
    """The project's files that a statement may import, in either case."""
    if statement.level:
        bases = [statement.file.parents[statement.level - 1]] if statement.level <= len(statement.file.parents) else []
    else:
        bases = [main.root, statement.file.parent]
    parts = [part for part in statement.module.split(".") if part]
    names = [parts, *([*parts, name] for name in statement.names)]
    places = [base.joinpath(*name) for base in bases for name in names if name]
    files = [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()]
    return list(dict.fromkeys(file.resolve() for file in files))


def _script_only(main: _Main, statement: Import) -> Problem | None:
    """``import models`` in a package."""
    folder = statement.file.parent
    beside = folder / f"{statement.top}.py"
    if statement.level or statement.guarded or not (folder / "__init__.py").exists():
        return None
    if not beside.is_file() or has_module(main.root, statement.top):
        return None
    return Problem(
        where=statement.place,
        what=f"finds {beside.name} only when {main.file.name} runs as a script, not under flask, gunicorn or uWSGI",
        remedy=f"Write `{statement.as_relative}`, and start the script as: {main.as_module}",
        code="TLS504",
    )


def _library_only(main: _Main, statement: Import) -> Problem | None:
    """``from . import models`` or ``from pkg import models`` in a file that is a script too."""
    if statement.file != main.file or not main.is_script or not main.in_package:
        return None
    own_package = statement.top == main.name.partition(".")[0] and not has_module(main.file.parent, statement.top)
    if not statement.level and not own_package:
        return None
    return Problem(
        where=statement.place,
        what=f"works under flask, gunicorn and uWSGI, but not in: python {main.file.relative_to(main.root)}",
        remedy=f"Start the script in {main.root} as: {main.as_module}",
        code="TLS504",
    )


def _twice(main: _Main, statement: Import) -> Problem | None:
    """``from main import app`` in models.py, when main.py is a script."""
    if statement.file == main.file or not main.is_script or main.file not in _files(main, statement):
        return None
    return Problem(
        where=statement.place,
        what=f"makes a second application when {main.file.name} runs as a script, where only the first is served",
        remedy="Move the application into a file of its own that both import",
        code="TLS505",
    )

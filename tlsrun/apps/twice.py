"""Detects that a file was imported twice under two names, which makes two applications."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tlsrun.apps.statements import Import, imports_in
from tlsrun.errors import Problem


def second_import_warning(module: str) -> Problem | None:
    """A warning if the application's file was imported a second time.

    It happens with ``python main.py`` if models.py has ``from main import app``: the script is ``__main__``, and
    ``main`` is a second module with a second application, whose routes are never served.

    Arguments:
        module: the name of the application's module; ``__main__`` for a script.
    """
    own = sys.modules.get(module)
    file = _file(own)
    if file is None:
        return None
    for name, other in list(sys.modules.items()):
        if other is not own and _was_imported(other) and _same(_file(other), file):
            return _problem(Path(file), module, name)
    return None


def _was_imported(module: Any) -> bool:
    """Whether the import system made it from its file; bottle.py makes ``bottle.ext`` itself, with its own file."""
    return _attribute(module, "__spec__") is not None


def _file(module: Any) -> str | None:
    """The file of a module, without triggering a lazy one."""
    file = _attribute(module, "__file__")
    return file if isinstance(file, str) else None


def _attribute(module: Any, name: str) -> Any:
    try:
        return object.__getattribute__(module, "__dict__").get(name)
    except AttributeError:
        return None


def _same(first: str | None, second: str) -> bool:
    if first is None or os.path.basename(first) != os.path.basename(second):
        return False
    return os.path.realpath(first) == os.path.realpath(second)


def _problem(file: Path, served: str, second: str) -> Problem:
    found = next(_imports_of(second, file.resolve().parent), None)
    first = "runs as a script" if served == "__main__" else f"is imported as {served}"
    importer = f" and {found.file.name}" if found else ""
    return Problem(
        where=found.place if found else str(file),
        what=f"{file} {first} and is imported again, as {second}: there are two applications, and only the first is "
        "served",
        remedy=f"Move the application into a file of its own, which {file.name}{importer} can import",
        code="TLS505",
    )


def _imports_of(name: str, folder: Path) -> Iterator[Import]:
    """The statements in loaded modules below ``folder`` that import the module ``name``."""
    for module in list(sys.modules.values()):
        file = _file(module)
        if file is None or folder not in Path(file).resolve().parents:
            continue
        package = getattr(module, "__package__", None) or ""
        for statement in imports_in(Path(file)):
            if name in _modules(statement, package):
                yield statement


def _modules(statement: Import, package: str) -> tuple[str, ...]:
    """The absolute names of the modules that a statement may import."""
    try:
        base = importlib.util.resolve_name("." * statement.level + statement.module, package)
    except ImportError:
        return ()
    return (base, *(f"{base}.{name}" for name in statement.names))

"""The error for a module that does not exist, with the modules that do."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

from tlsrun.apps.target import FORM, AppTarget, listed, not_found
from tlsrun.errors import AppNotFound


def missing_module(name: AppTarget) -> AppNotFound:
    """The error for a module that does not exist: how far its name can be followed, and what is there."""
    folder = name.root
    followed: list[str] = []
    for part in name.module.split("."):
        if not (folder / part).is_dir():
            break
        folder, followed = folder / part, [*followed, part]
    rest = name.module.split(".")[len(followed) :]
    missing = rest[0] if rest else name.module
    file = folder / f"{missing}.py"
    if len(rest) > 1 and file.is_file():
        what = f"{file} is a module, not a package, so there is no {'.'.join([*followed, *rest])}"
        return not_found(name.given, what, f"Type {'.'.join([*followed, missing])}:{rest[1]}")
    there = modules_in(folder)
    prefix = "".join(f"{part}." for part in followed)
    what = f"there is no module {missing!r} in {folder}"
    close = difflib.get_close_matches(missing, there, n=1)
    if close:
        behind = f":{name.expression.text}" if name.expression else ""
        return not_found(name.given, what, f"Did you mean {prefix}{close[0]}{behind}?")
    is_there = f"There is {listed([f'{prefix}{one}' for one in there])}. " if there else ""
    return not_found(name.given, what, f"{is_there}Type {FORM}")


def modules_in(folder: Path) -> list[str]:
    """The names of the modules and packages in a folder."""
    if not folder.is_dir():
        return []
    files = {file.stem for file in folder.glob("*.py") if file.stem.isidentifier() and file.stem != "__init__"}
    packages = {file.parent.name for file in folder.glob("*/__init__.py")}
    return sorted((files | packages) - {"setup", "conftest"} - set(sys.builtin_module_names))

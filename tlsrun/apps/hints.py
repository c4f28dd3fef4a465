"""Explains imports that fail because of a project's layout: the line, and the command that works."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from tlsrun.apps.statements import Import, has_guard, import_at
from tlsrun.apps.target import has_module, locate


def import_hint(error: BaseException, target: str, *, script: bool = False) -> str | None:
    """One line about a failed import: the statement, its file and line, and the command that works.

    Arguments:
        error: the exception from the import, or Flask's own error with it as its context.
        target: the application's name, or the script's file.
        script: whether it was run as a script, so that the command starts with ``python``.

    Returns:
        None if the layout does not explain the error.
    """
    failed = error if isinstance(error, ImportError) else error.__context__
    if not isinstance(failed, ImportError):
        return None
    lines = list(_lines(failed.__traceback__))
    statement = import_at(*lines[-1]) if lines else None
    if statement is None:
        return None
    path, _, behind = target.partition(":")
    start = _Start(file=_main_file(path, lines), behind=f":{behind}" if behind else "", script=script)
    message = str(failed)
    if "partially initialized module" in message or "circular import" in message:
        return _circular(statement, failed, lines)
    if "attempted relative import" in message:
        return _relative(statement, start)
    if isinstance(failed, ModuleNotFoundError) and failed.name:
        return _missing(statement, failed.name.partition(".")[0], start)
    return None


def user_traceback(error: BaseException) -> TracebackType | None:
    """The traceback of an error without the frames of commands and the import system before the user's own files."""
    own = str(Path(__file__).parent)
    start = error.__traceback__
    entry = start
    while start is not None:
        if os.path.dirname(start.tb_frame.f_code.co_filename) == own:
            entry = start.tb_next
        start = start.tb_next
    return entry or error.__traceback__


class _Start:
    """Other commands to start the application."""

    def __init__(self, *, file: Path | None, behind: str, script: bool) -> None:
        self.file = file
        self.behind = behind
        self.script = script

    def from_folder(self, folder: Path) -> str | None:
        """The command with ``folder`` as the folder to import from."""
        if self.file is None or folder not in self.file.parents:
            return None
        place = self.file.parent if self.file.name == "__init__.py" else self.file.with_suffix("")
        parts = place.relative_to(folder).parts
        if not parts or not all(part.isidentifier() for part in parts):
            return None
        change = "" if folder == Path.cwd() else f"cd {_short(folder)} && "
        name = ".".join(parts)
        return f"{change}python -m {name}" if self.script else f"{change}{command(name + self.behind)}"

    def with_path(self, folder: Path, target: str) -> str:
        """The same command with ``folder`` added to the import path."""
        return f"PYTHONPATH={_short(folder)} {command(target)}"


def command(target: str) -> str:
    """The command that serves ``target``: flask's or ours, whichever the user has started."""
    if os.environ.get("FLASK_RUN_FROM_CLI") == "true":
        return f"flask --app {target} tlsrun"
    return f"tlsrun run {target}"


def _lines(trace: TracebackType | None) -> Iterator[tuple[Path, int]]:
    """File and line of each frame of a traceback, without those of the import system."""
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not name.startswith("<") and os.path.join("importlib", "__init__.py") not in name:
            yield Path(name), trace.tb_lineno
        trace = trace.tb_next


def _main_file(path: str, lines: list[tuple[Path, int]]) -> Path | None:
    """The file of the application that was named."""
    module, root = locate(path) if path else ("", Path.cwd())
    base = root.joinpath(*module.split("."))
    for file in (base.with_suffix(".py"), base / "__init__.py"):
        if file.is_file():
            return file
    return lines[-1][0] if lines else None


def _missing(statement: Import, top: str, start: _Start) -> str | None:
    """A module that exists, but not where Python looks for it."""
    folder = statement.file.resolve().parent
    if _has_module(folder, top):
        return _beside(statement, folder, top, start)
    for above in folder.parents:
        if _has_module(above, top) and (above / top).resolve() not in (Path("/"), above):
            works = start.from_folder(above)
            if works is None:
                return None
            return f"{_place(statement)} needs {_short(above)} as the folder to import from. Run: {works}"
    return None


def _beside(statement: Import, folder: Path, top: str, start: _Start) -> str | None:
    """``import models`` in a package: its folder is on the import path only if the file is run as a script."""
    if str(folder) in (os.path.realpath(entry) for entry in sys.path) or not (folder / "__init__.py").exists():
        return None
    script = start.file is not None and start.file.parent == folder and has_guard(start.file)
    works = f"python {_short(start.file)}" if script and start.file else _with_path(start, folder)
    return (
        f"{_place(statement)} finds {top} only when the file runs as a script, for {_short(folder)} is a package. "
        f"Write `{statement.as_relative}`, or run: {works}"
    )


def _with_path(start: _Start, folder: Path) -> str:
    file = start.file or folder
    module, _ = locate(str(file))
    return start.with_path(folder, f"{module}{start.behind}")


def _relative(statement: Import, start: _Start) -> str | None:
    """``from . import models`` in a file that was not imported as part of a package."""
    folder = statement.file.resolve().parent
    above = folder
    for _ in range(statement.level):
        above = above.parent
    works = start.from_folder(above)
    if works is None:
        return None
    flat = f"from {statement.module} import" if statement.module else "import"
    instead = "" if statement.level > 1 else f" Without a package, write `{flat} {statement.written}` instead."
    return f"{_place(statement)} works in a package only.{instead} In one, run: {works}"


def _circular(statement: Import, failed: ImportError, lines: list[tuple[Path, int]]) -> str | None:
    """``from main import app`` in a module that main.py imports before it defines ``app``."""
    half = Path(failed.path).resolve() if failed.path else None
    waiting = next((place for place in lines if half is not None and place[0].resolve() == half), None)
    if waiting is None or half is None:
        return None
    what = ", ".join(statement.names) or statement.module
    return (
        f"{_place(statement)} asks for {what} while {_short(half)}:{waiting[1]} is still importing "
        f"{statement.file.stem}. Move line {waiting[1]} of {half.name} below the one that makes {what}"
    )


def _has_module(folder: Path, name: str) -> bool:
    """Whether it contains the module, or a namespace package of that name."""
    return has_module(folder, name) or ((folder / name).is_dir() and any((folder / name).glob("*.py")))


def _place(statement: Import) -> str:
    return f"{_short(statement.file)}:{statement.line}: `{statement.text}`"


def _short(path: Path) -> str:
    """A path relative to the current folder, if it is below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)

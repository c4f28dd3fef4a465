"""The application run as ``python main.py`` runs it, without the code under ``if __name__ == "__main__"``."""

from __future__ import annotations

import ast
import os
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from tlsrun.apps import second_import_warning
from tlsrun.apps.app import recognise
from tlsrun.apps.statements import is_guard
from tlsrun.apps.target import locate
from tlsrun.check.app.library import failure, routes
from tlsrun.check.app.runs import recording_runs
from tlsrun.check.app.task import ImportTask

_SCRIPT = "__main__"


def as_script(task: ImportTask) -> dict[str, Any]:
    """Run a file as a script, up to its guard.

    Arguments:
        task: ``target`` is the file, and after two colons the name of the application in it.

    Returns:
        a JSON object; with ``failed`` if the script raises.
    """
    path, _, name = task.target.rpartition("::")
    file = Path(path)
    sys.argv = [str(file)]
    sys.path.insert(0, str(file.parent))
    module = ModuleType(_SCRIPT)
    vars(module).update(__file__=str(file), __builtins__=__builtins__)
    sys.modules[_SCRIPT] = module
    try:
        with recording_runs():
            exec(compile(without_guarded(file), str(file), "exec"), vars(module))  # noqa: S102 -- the user's own file
    except BaseException as error:  # noqa: BLE001 -- sys.exit() in a module's body fails it too
        return {"failed": failure(error, os.fspath(file)), "as_module": f"python -m {locate(str(file))[0]}"}
    twice = second_import_warning(_SCRIPT)
    return {"routes": _routes(module, name), "twice": None if twice is None else asdict(twice)}


def without_guarded(file: Path) -> ast.Module:
    """The file's statements; from under the guard only the imports, since the rest would run the program."""
    tree = ast.parse(file.read_bytes())
    body: list[ast.stmt] = []
    for statement in tree.body:
        if isinstance(statement, ast.If) and is_guard(statement.test):
            body += [one for one in statement.body if isinstance(one, (ast.Import, ast.ImportFrom))]
        else:
            body.append(statement)
    return ast.Module(body=body, type_ignores=[])


def _routes(module: ModuleType, name: str) -> list[str] | None:
    """The application's routes, if it is an object in the module and not made by a factory."""
    application = getattr(module, name, None) if name.isidentifier() else None
    if application is None:
        bottle: Any = sys.modules.get("bottle")
        application = bottle.default_app() if bottle is not None and not name else None
    return None if application is None else routes(*recognise(application))

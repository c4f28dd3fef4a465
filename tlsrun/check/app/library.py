"""The application imported as flask, gunicorn and uWSGI import it, and a description of it."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from tlsrun.apps import App, import_differences, import_hint, resolve, second_import_warning, user_traceback
from tlsrun.apps.app import Framework, recognise
from tlsrun.apps.layers import app_layers
from tlsrun.check.app.cookies import insecure_cookies
from tlsrun.check.app.keywords import run_keywords
from tlsrun.check.app.request_view import request_view
from tlsrun.check.app.runs import recording_runs
from tlsrun.check.app.task import ImportTask
from tlsrun.errors import AppNotFound, Problem
from tlsrun.process import other_threads, patch_problem
from tlsrun.settings.layers import Layer

_FOLDERS_OF_OTHERS = ("site-packages", "dist-packages")


def as_library(task: ImportTask) -> dict[str, Any]:
    """Import the application that ``task.target`` names, and describe it.

    Returns:
        a JSON object; with ``failed`` or ``not_found`` if there is no application.
    """
    try:
        with recording_runs() as runs:
            app = resolve(task.target or None, framework=cast("Framework | None", task.framework or None))
    except AppNotFound as error:
        return {"not_found": str(error)}
    except BaseException as error:  # noqa: BLE001 -- sys.exit() in a module's body fails the import too
        return {"failed": failure(error, task.target)}
    if task.prepare and app.framework == task.framework:
        module, _, name = task.prepare.partition(":")
        getattr(importlib.import_module(module), name)(recognise(app.application)[1])
    return {"runs": runs, **_described(app)}


def failure(error: BaseException, target: str) -> dict[str, Any]:
    """A failed import: the error, the line in the user's own files, and a hint."""
    lines = traceback.format_exception_only(type(error), error)
    frames = traceback.extract_tb(user_traceback(error))
    own = [frame for frame in frames if is_own(frame.filename)] or list(frames)
    return {
        "error": lines[-1].strip(),
        "file": own[-1].filename if own else "",
        "line": (own[-1].lineno or 0) if own else 0,
        "hint": import_hint(error, target),
    }


def is_own(file: str) -> bool:
    """Whether a file belongs to the project, and not to Python, an installed package or tlsrun."""
    path = Path(file)
    installed = any(part in _FOLDERS_OF_OTHERS for part in path.parts)
    here = str(Path(__file__).parents[2]) + os.sep
    standard = os.path.dirname(os.__file__) + os.sep
    return path.is_file() and not installed and not file.startswith((here, standard))


def _described(app: App) -> dict[str, Any]:
    module = sys.modules.get(app.target.partition(":")[0])
    file = getattr(module, "__file__", None)
    framework, inside = recognise(app.application)
    extended = "tlsrun" in getattr(inside, "extensions", {})
    twice = second_import_warning(module.__name__) if module is not None else None
    return {
        "target": app.target,
        "framework": framework,
        "name": app.name,
        "file": file,
        "layers": [layer_as_json(layer) for layer in app_layers(app)],
        "routes": routes(framework, inside),
        "debug": _debug(framework, inside),
        "patched": _problem(patch_problem()),
        "threads": other_threads(),
        "twice": _problem(twice),
        "differences": [_problem(one) for one in (import_differences(Path(file)) if file else ())],
        "cookies": insecure_cookies(_own_files()),
        "keywords": run_keywords(Path(file), extended=extended) if file else [],
        "request_view": request_view(app),
    }


def _own_files() -> Iterable[Path]:
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return sorted({Path(file) for file in files if isinstance(file, str) and is_own(file)})


def _debug(framework: str, inside: Any) -> bool:
    if framework == "flask":
        return bool(inside.debug)
    return framework == "bottle" and bool(getattr(sys.modules.get("bottle"), "DEBUG", False))


def routes(framework: str, inside: Any) -> list[str] | None:
    """The application's routes, as method and rule; None without a framework."""
    if framework == "flask":
        return sorted(f"{' '.join(sorted(rule.methods or ()))} {rule.rule}" for rule in inside.url_map.iter_rules())
    if framework == "bottle":
        return sorted(f"{route.method} {route.rule}" for route in inside.routes)
    return None


def _problem(problem: Problem | None) -> dict[str, Any] | None:
    return None if problem is None else asdict(problem)


def layer_as_json(layer: Layer) -> dict[str, Any]:
    """A layer of settings; values that JSON does not have are written as text."""
    return {
        "name": layer.name,
        "given": {name: {"value": _plain(one.value), "spelling": one.spelling} for name, one in layer.given.items()},
        "problems": [_problem(one) for one in layer.problems],
        "warnings": [_problem(one) for one in layer.warnings],
    }


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(one) for one in value]
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}:{value.__qualname__}"
    return repr(value)

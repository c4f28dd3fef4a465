"""From a name to the application, imported once: by Flask's rules, for Bottle by those of `bottle.load_app`."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from tlsrun.apps.app import App, Framework, describe, recognise
from tlsrun.apps.find import Found, by_expression, by_search
from tlsrun.apps.importing import importing_only
from tlsrun.apps.missing import missing_module
from tlsrun.apps.target import FORM, AppTarget, listed, not_found, parse
from tlsrun.optional import is_installed

#: Environment variables for the name, the first that is set; and the modules to look for if neither is.
VARIABLES = ("TLSRUN_APP", "FLASK_APP")
DEFAULTS = ("wsgi", "app")


def resolve(target: str | None = None, *, framework: Framework | None = None) -> App:
    """Import an application by its name.

    Arguments:
        target: ``pkg.main:app``, ``pkg/main.py``, ``pkg.main``, ``pkg.main:create_app("x", debug=True)``. Without it,
            TLSRUN_APP or FLASK_APP in the environment, then wsgi.py or app.py in the current folder.
        framework: the framework to look for first; others are accepted too.

    Raises:
        AppNotFound: there is no such module, or no application in it.
        BaseException: whatever the application's own modules raise while they are imported.
    """
    name = parse(target) if target else _unnamed()
    if not sys.path or sys.path[0] != str(name.root):
        sys.path.insert(0, str(name.root))
    bottle = _bottle(wanted=framework != "flask")
    with importing_only(bottle=bottle), _default_app(bottle) as default_app:
        known = name.module in sys.modules
        module = _import(name)
        if bottle is not None and known and not default_app.routes:
            default_app = _earlier_default_app(bottle, default_app)
        if name.expression:
            found = by_expression(module, name, name.expression, framework)
        else:
            found = by_search(module, name, framework, default_app)
    _keep_as_default(found, bottle, default_app)
    return describe(found.application, found.target)


def _unnamed() -> AppTarget:
    """The name in the environment, or one of the usual modules.

    Raises:
        AppNotFound: there is neither.
    """
    for variable in VARIABLES:
        if text := os.environ.get(variable):
            return parse(text, given=f"{variable}={text} in the environment")
    for name in DEFAULTS:
        if Path(f"{name}.py").is_file() or Path(name, "__init__.py").is_file():
            return parse(name)
    there = sorted(file.name for file in Path().glob("*.py"))
    is_there = f"There is {listed(there)}. " if there else ""
    raise not_found("No application is named", f"{Path.cwd()} has neither wsgi.py nor app.py", f"{is_there}Type {FORM}")


def _import(name: AppTarget) -> ModuleType:
    try:
        # Unlike importlib.import_module(), `__import__` keeps the import system's frames out of tracebacks.
        __import__(name.module)
    except ModuleNotFoundError as error:
        if _is_target_itself(error, name):
            raise missing_module(name) from None
        raise
    module = sys.modules[name.module]
    origin = getattr(module, "__file__", None)
    if name.file is not None and (origin is None or Path(origin).resolve() != name.file):
        what = f"the name {name.module} belongs to another module already ({origin or 'built into Python'})"
        raise not_found(name.given, what, f"Give {name.file.name} another name")
    return module


def _is_target_itself(error: ModuleNotFoundError, name: AppTarget) -> bool:
    """Whether the named module itself is missing, and not one that it imports: no other code has run."""
    missing = error.name or ""
    below = error.__traceback__.tb_next if error.__traceback__ else None
    while below is not None:
        if not below.tb_frame.f_code.co_filename.startswith("<frozen importlib"):
            return False
        below = below.tb_next
    return name.module == missing or name.module.startswith(f"{missing}.")


def _bottle(*, wanted: bool) -> Any:
    """The module bottle, if the application may use it, so that changes of its default application are noticed."""
    if "bottle" in sys.modules or (wanted and is_installed("bottle")):
        module = importlib.import_module("bottle")
        return module if hasattr(module, "AppStack") else None
    return None


@contextlib.contextmanager
def _default_app(bottle: Any) -> Iterator[Any]:
    """A new default application for the module that is imported, as in `bottle.load_app`."""
    if bottle is None:
        yield None
        return
    app = bottle.default_app.push()
    try:
        yield app
    finally:
        bottle.default_app.remove(app)


def _earlier_default_app(bottle: Any, empty: Any) -> Any:
    """The default application to which a module that was imported before has added routes."""
    earlier = [app for app in bottle.default_app if app is not empty and app.routes]
    return earlier[-1] if earlier else empty


def _keep_as_default(found: Found, bottle: Any, default_app: Any) -> None:
    """If Bottle's default application is served, keep it as the default, so that `default_app()` and `url()` find it
    during requests, as in a script."""
    if bottle is not None and recognise(found.application)[1] is default_app and default_app not in bottle.default_app:
        bottle.default_app.append(default_app)

"""Finds the application in an imported module: by the expression after the colon, or by searching."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

from tlsrun.apps.app import Framework, is_bottle, is_bottle_stack, is_flask
from tlsrun.apps.factories import FACTORIES, call, is_asynchronous, is_factory, is_wsgi, kind_of
from tlsrun.apps.target import AppTarget, Expression, listed, not_found
from tlsrun.errors import AppNotFound

#: Names of applications: Flask looks for "app" first, servers for "application".
FLASK_NAMES = ("app", "application")
WSGI_NAMES = ("application", "app")


@dataclass(frozen=True, kw_only=True)
class Found:
    """An application, and its name for a server."""

    application: Callable[..., Any]
    target: str


def by_expression(module: ModuleType, name: AppTarget, expression: Expression, framework: Framework | None) -> Found:
    """The application that the expression after the colon names.

    Raises:
        AppNotFound: it does not exist, or is not an application.
    """
    thing: Any = module
    for attribute in expression.path:
        try:
            thing = getattr(thing, attribute)
        except AttributeError:
            raise _no_attribute(module, name, attribute, thing) from None
    written = f"{module.__name__}:{'.'.join(expression.path)}"
    target = f"{module.__name__}:{expression.text}"
    if expression.called:
        thing = call(thing, written, name, expression)
    elif is_bottle_stack(thing) or is_factory(thing, expression.path[-1], framework):
        thing, target = call(thing, written, name, expression), f"{target}()"
    return Found(application=_checked(thing, name, expression.text), target=target)


def by_search(module: ModuleType, name: AppTarget, framework: Framework | None, default_app: Any) -> Found:
    """Search a module for a Flask or Bottle application, any WSGI callable, or a factory.

    Arguments:
        framework: the framework to look for first.
        default_app: Bottle's default application during the import; None without Bottle.

    Raises:
        AppNotFound: there is none, or it is ambiguous.
    """
    searches: dict[str, Callable[[], Found | None]] = {
        "flask": lambda: _instance(module, name, is_flask, "Flask"),
        "bottle": lambda: _default(module, default_app) or _instance(module, name, is_bottle, "Bottle"),
        "wsgi": lambda: _wsgi(module),
        "factory": lambda: _made(module, name),
    }
    for one in sorted(searches, key=lambda one: one != framework):  # sorted() is stable
        if found := searches[one]():
            return found
    raise _nothing(module, name)


def _instance(module: ModuleType, name: AppTarget, is_one: Callable[[Any], bool], kind: str) -> Found | None:
    """The application of a framework: under a usual name, or the only one in the module."""
    for attribute in FLASK_NAMES:
        if is_one(getattr(module, attribute, None)):
            return _found(module, attribute)
    names = {id(value): key for key, value in reversed(vars(module).items()) if is_one(value)}
    if len(names) > 1:
        there = sorted(names.values())
        raise not_found(
            name.given,
            f"module {module.__name__} has several {kind} applications: {listed(there)}",
            f"Say which: {module.__name__}:{there[0]}",
        )
    return next((_found(module, attribute) for attribute in names.values()), None)


def _found(module: ModuleType, attribute: str) -> Found:
    return Found(application=getattr(module, attribute), target=f"{module.__name__}:{attribute}")


def _default(module: ModuleType, default_app: Any) -> Found | None:
    """Bottle's default application, if the module has added routes to it; by its name in the module if it has one."""
    if default_app is None or not default_app.routes:
        return None
    attribute = next((key for key, value in vars(module).items() if value is default_app), None)
    return _found(module, attribute) if attribute else Found(application=default_app, target=module.__name__)


def _wsgi(module: ModuleType) -> Found | None:
    for attribute in WSGI_NAMES:
        thing = getattr(module, attribute, None)
        if not isinstance(thing, ModuleType) and not is_bottle_stack(thing) and is_wsgi(thing):
            return _found(module, attribute)
    return None


def _made(module: ModuleType, name: AppTarget) -> Found | None:
    for factory in FACTORIES:
        if isinstance(made := getattr(module, factory, None), FunctionType):
            written = f"{module.__name__}:{factory}"
            application = call(made, written, name, Expression(text=factory, path=(factory,)))
            return Found(application=_checked(application, name, f"{factory}()"), target=f"{written}()")
    return None


def _checked(thing: Any, name: AppTarget, text: str) -> Callable[..., Any]:
    """Check that ``thing`` is a WSGI application.

    Raises:
        AppNotFound: it is something else.
    """
    if inspect.iscoroutine(thing):
        thing.close()  # or Python warns that it was never awaited
    if inspect.isawaitable(thing) or is_asynchronous(thing):
        what = f"{text} is asynchronous (ASGI); what is served here is WSGI"
        raise not_found(name.given, what, "Start it with an ASGI server")
    if not callable(thing) or is_bottle_stack(thing):
        what = f"{text} is {kind_of(thing)}, not a WSGI application"
        raise not_found(name.given, what, f"Name one, as {name.module}:app")
    application: Callable[..., Any] = thing
    return application


def _no_attribute(module: ModuleType, name: AppTarget, attribute: str, owner: Any) -> AppNotFound:
    what = f"there is no {attribute!r} in {_place(module) if owner is module else kind_of(owner)}"
    if owner is not module:
        return not_found(name.given, what, f"Name the application, as {module.__name__}:app")
    there = _candidates(module)
    public = [one for one in vars(module) if not one.startswith("_")]
    close = difflib.get_close_matches(attribute, there, n=1) or difflib.get_close_matches(attribute, public, n=1)
    is_there = f"{what}, but {listed(there)}" if there else what
    if close:
        return not_found(name.given, is_there, f"Did you mean {module.__name__}:{close[0]}?")
    return not_found(name.given, is_there, f"Type {module.__name__}:{there[0] if there else 'name'}")


def _nothing(module: ModuleType, name: AppTarget) -> AppNotFound:
    there = _candidates(module)
    what = f"{_place(module)} has no application under a usual name ({', '.join((*FLASK_NAMES, *FACTORIES))})"
    if there:
        return not_found(name.given, f"{what}, but {listed(there)}", f"Say which: {module.__name__}:{there[0]}")
    return not_found(name.given, what, f"Name the application, as {module.__name__}:name")


def _place(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    return f"module {module.__name__}" + (f" ({file})" if file else "")


def _candidates(module: ModuleType) -> list[str]:
    """The names in a module that could be meant: applications, then functions of its own that could make or be one."""
    named = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    applications = [name for name, value in named.items() if is_flask(value) or is_bottle(value)]
    functions = [
        name
        for name, value in named.items()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__ and ("app" in name or is_wsgi(value))
    ]
    return [*applications, *functions]

"""The application as a value: the WSGI callable, its framework and its configuration."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MethodType
from typing import Any, Literal, TypeAlias

Framework: TypeAlias = Literal["flask", "bottle", "wsgi"]

#: Attributes in which middleware keeps the application that it wraps: ours and functools', Werkzeug's, others'.
_INSIDE = ("__wrapped__", "app", "wsgi_app", "application")
_DEEPEST = 8


@dataclass(frozen=True, kw_only=True)
class App:
    """An application that was found.

    Arguments:
        application: the WSGI callable that is served.
        framework: its framework, even inside middleware; ``wsgi`` for any other callable.
        name: its name in messages: Flask's name for it, or its module.
        target: its name for a server: ``pkg.main:app``, ``pkg.main:create_app('x')``, or ``pkg.main`` for Bottle's
            default application.
        config: its own configuration; None if it has none.
    """

    application: Callable[..., Any]
    framework: Framework
    name: str
    target: str
    config: Mapping[str, Any] | None = None


def describe(application: Callable[..., Any], target: str) -> App:
    """The `App` of a WSGI callable that is known as ``target``."""
    framework, inside = recognise(application)
    return App(
        application=application,
        framework=framework,
        name=str(inside.name) if framework == "flask" else target.partition(":")[0],
        target=target,
        config=None if framework == "wsgi" else inside.config,
    )


def recognise(application: Any) -> tuple[Framework, Any]:
    """The framework of an application, and the framework's own object inside any middleware."""
    inside = application
    for _ in range(_DEEPEST):
        if isinstance(inside, MethodType):  # app.wsgi_app, which middleware wraps
            inside = inside.__self__
        if is_flask(inside):
            return "flask", inside
        if is_bottle(inside):
            return "bottle", inside
        inside = next((found for name in _INSIDE if (found := getattr(inside, name, None)) is not None), None)
        if inside is None:
            break
    return "wsgi", application


def is_flask(thing: Any) -> bool:
    """Whether it is a Flask application; does not import Flask."""
    return _is_instance(thing, "flask", "Flask")


def is_bottle(thing: Any) -> bool:
    """Whether it is a Bottle application; does not import Bottle."""
    return _is_instance(thing, "bottle", "Bottle")


def is_bottle_stack(thing: Any) -> bool:
    """Whether it is `bottle.default_app` (also called `bottle.app`), which returns an application."""
    return _is_instance(thing, "bottle", "AppStack")


def _is_instance(thing: Any, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(thing, kind)

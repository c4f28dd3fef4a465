"""Tells an application from a function that makes one, and calls the latter."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import FunctionType, MethodType, ModuleType
from typing import Any

from tlsrun.apps.app import Framework, is_bottle, is_flask
from tlsrun.apps.target import AppTarget, Expression, not_found

#: The usual names of factories, as Flask looks for them.
FACTORIES = ("create_app", "make_app")


def is_wsgi(thing: Any) -> bool:
    """Whether it can be called as PEP 3333 says, with environ and start_response; what is asynchronous cannot."""
    return callable(thing) and not is_asynchronous(thing) and _takes(thing, 2)


def is_factory(thing: Any, name: str, framework: Framework | None) -> bool:
    """Whether a name stands for a function that makes the application. For Flask every function does; else one with a
    usual name does, one that cannot be called as an application, and one that is made to be called without arguments.
    """
    if not isinstance(thing, (FunctionType, MethodType, functools.partial)) or is_asynchronous(thing):
        return False
    if framework == "flask" or name in FACTORIES or not _takes(thing, 2):
        return True
    return _takes(thing, 0) and not _takes(thing, 99)


def is_asynchronous(thing: Any) -> bool:
    """Whether calling it makes a coroutine, as ASGI applications do."""
    if isinstance(thing, (FunctionType, MethodType)):
        return inspect.iscoroutinefunction(thing)
    return inspect.iscoroutinefunction(vars(type(thing)).get("__call__")) or inspect.iscoroutinefunction(
        getattr(thing, "__call__", None)  # noqa: B004 -- it is looked at, not asked for
    )


def _takes(thing: Any, count: int) -> bool:
    """Whether it can be called with that many positional arguments."""
    try:
        inspect.signature(thing).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # built in, without a signature: it may
        return True
    return True


def call(factory: Any, written: str, name: AppTarget, expression: Expression) -> Any:
    """What a factory makes. What is raised inside it is the user's, and passes through.

    Arguments:
        written: the factory's name, as ``pkg.main:create_app``.

    Raises:
        AppNotFound: it cannot be called, or not so.
    """
    if is_flask(factory) or is_bottle(factory):
        raise not_found(name.given, f"{written} is the application itself, not a factory", f"Type {written}")
    if not callable(factory):
        raise not_found(name.given, f"{written} is {kind_of(factory)} and cannot be called", f"Type {written}")
    complaint = _complaint(factory, expression)
    if complaint:
        given = "the arguments given" if expression.args or expression.kwargs else "no arguments"
        raise not_found(
            name.given,
            f"the factory {written} cannot be called with {given}: {complaint}",
            f"""Type them as literals, all in quotes: "{written}('…')\"""",
        )
    return factory(*expression.args, **expression.kwargs)


def _complaint(factory: Callable[..., Any], expression: Expression) -> str | None:
    """Why the arguments do not fit, if they do not."""
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):  # built in, without a signature
        return None
    try:
        signature.bind(*expression.args, **expression.kwargs)
    except TypeError as error:
        return f"{error}; it takes {signature}"
    return None


def kind_of(thing: Any) -> str:
    """What something is, for messages."""
    if thing is None or isinstance(thing, (bool, int, str)):
        return repr(thing)
    if isinstance(thing, ModuleType):
        return f"the module {thing.__name__}"
    return f"an object of type {type(thing).__name__}"

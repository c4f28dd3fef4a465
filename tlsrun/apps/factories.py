"""Distinguishes applications from factories, and calls factories."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import FunctionType, MethodType, ModuleType
from typing import Any

from tlsrun.apps.app import Framework, is_bottle, is_flask
from tlsrun.apps.target import AppTarget, Expression, not_found

#: Names of factories, in the order in which Flask looks for them.
FACTORIES = ("create_app", "make_app")


def is_wsgi(thing: Any) -> bool:
    """Whether it can be called with environ and start_response (PEP 3333) and is not asynchronous."""
    return callable(thing) and not is_asynchronous(thing) and _takes(thing, 2)


def is_factory(thing: Any, name: str, framework: Framework | None) -> bool:
    """Whether ``thing`` is a function that makes the application. For Flask every function is one. Otherwise one is if
    it has a usual name, cannot be called as an application, or can only be called without arguments.
    """
    if not isinstance(thing, (FunctionType, MethodType, functools.partial)) or is_asynchronous(thing):
        return False
    if framework == "flask" or name in FACTORIES or not _takes(thing, 2):
        return True
    return _takes(thing, 0) and not _takes(thing, 99)


def is_asynchronous(thing: Any) -> bool:
    """Whether calling it returns a coroutine, as with ASGI applications."""
    if isinstance(thing, (FunctionType, MethodType)):
        return inspect.iscoroutinefunction(thing)
    return inspect.iscoroutinefunction(vars(type(thing)).get("__call__")) or inspect.iscoroutinefunction(
        getattr(thing, "__call__", None)  # noqa: B004 -- the method is inspected
    )


def _takes(thing: Any, count: int) -> bool:
    """Whether it can be called with ``count`` positional arguments."""
    try:
        inspect.signature(thing).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # a built-in without a signature may accept them
        return True
    return True


def call(factory: Any, written: str, name: AppTarget, expression: Expression) -> Any:
    """Call a factory. Exceptions that it raises pass through.

    Arguments:
        written: the factory's name, such as ``pkg.main:create_app``.

    Raises:
        AppNotFound: it cannot be called, or not with these arguments.
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
    """Why the arguments do not match the signature; None if they do."""
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
    """A description for messages."""
    if thing is None or isinstance(thing, (bool, int, str)):
        return repr(thing)
    if isinstance(thing, ModuleType):
        return f"the module {thing.__name__}"
    return f"an object of type {type(thing).__name__}"

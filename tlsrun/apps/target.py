"""Names of applications, by Flask's rules: ``pkg.main:app``, ``pkg/main.py``, ``pkg.main:create_app("x")``."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tlsrun.errors import AppNotFound, Problem

#: The form to type, for messages.
FORM = "module:name, a file, or module:factory(arguments)"


@dataclass(frozen=True, kw_only=True)
class Expression:
    """The expression after the colon.

    Arguments:
        text: its source.
        path: the names to follow from the module, usually one.
        called: whether it is a call.
        args: the literal positional arguments of the call.
        kwargs: the literal keyword arguments of the call.
    """

    text: str
    path: tuple[str, ...]
    called: bool = False
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AppTarget:
    """A parsed name.

    Arguments:
        given: the name as given, and its origin unless that is the command line.
        module: the dotted name to import.
        root: the folder that must be first on ``sys.path``.
        file: the file, if one was named.
        expression: the expression after the colon; None without one.
    """

    given: str
    module: str
    root: Path
    file: Path | None = None
    expression: Expression | None = None


def parse(text: str, *, given: str | None = None) -> AppTarget:
    """Parse a name. Nothing is imported; only the packages around a file are looked for.

    Arguments:
        text: the name.
        given: how to refer to it in messages; None for the name itself.

    Raises:
        AppNotFound: it is not the name of an application, or the file does not exist.
    """
    given = given or text
    # A colon before a slash belongs to a drive letter: C:\project\main.py
    path, colon, behind = (re.split(r"(:)(?![\\/])", text, maxsplit=1) + ["", ""])[:3]
    if not path:
        raise not_found(given, "no module is named", f"Type {FORM}")
    module, root = locate(path)
    file = Path(path).resolve() if path.endswith(".py") else None
    if file is not None and not file.is_file():
        raise not_found(given, f"there is no file {file}", _other_files(file))
    expression = parse_expression(behind.strip(), given) if colon else None
    return AppTarget(given=given, module=module, root=root, file=file, expression=expression)


def locate(path: str) -> tuple[str, Path]:
    """The dotted name of a file, a folder or a module, and the folder to import it from: the first one above it that is
    not a package (has no ``__init__.py``)."""
    place = Path(path).resolve()
    if place.suffix == ".py":
        place = place.with_suffix("")
    if place.name == "__init__":
        place = place.parent
    parts = [place.name]
    place = place.parent
    while (place / "__init__.py").exists() and place.name:
        parts.insert(0, place.name)
        place = place.parent
    return ".".join(parts), place


def parse_expression(text: str, given: str) -> Expression:
    """Parse names, or a call with literal arguments, without evaluating anything.

    Raises:
        AppNotFound: it is anything else.
    """
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        raise _not_an_expression(given, text) from None
    call = tree if isinstance(tree, ast.Call) else None
    path = _path(call.func if call else tree)
    if path is None:
        raise _not_an_expression(given, text)
    try:
        args = tuple(ast.literal_eval(argument) for argument in call.args) if call else ()
        kwargs = {_keyword(one): ast.literal_eval(one.value) for one in call.keywords} if call else {}
    except (ValueError, TypeError):
        remedy = "Write strings in quotes, numbers, True, False, None, and lists, tuples and dicts of them"
        raise not_found(given, f"the arguments in {text!r} are not literal values", remedy) from None
    return Expression(text=text, path=path, called=call is not None, args=args, kwargs=kwargs)


def _path(tree: ast.expr) -> tuple[str, ...] | None:
    """The names in ``a.b.c``; None for any other expression."""
    if isinstance(tree, ast.Name):
        return (tree.id,)
    if isinstance(tree, ast.Attribute):
        before = _path(tree.value)
        return None if before is None else (*before, tree.attr)
    return None


def _keyword(keyword: ast.keyword) -> str:
    if keyword.arg is None:
        raise ValueError("**arguments")
    return keyword.arg


def not_found(given: str, what: str, remedy: str) -> AppNotFound:
    """The error, worded like a `Problem`."""
    return AppNotFound(str(Problem(where=given, what=what, remedy=remedy)))


def _not_an_expression(given: str, text: str) -> AppNotFound:
    what = f"{text!r} is neither a name nor a call of one" if text else "nothing stands behind the colon"
    return not_found(given, what, f"Type {FORM}")


def _other_files(file: Path) -> str:
    names = sorted(found.name for found in file.parent.glob("*.py")) if file.parent.is_dir() else []
    return f"There is {listed(names)}. Type {FORM}" if names else f"Type {FORM}"


def has_module(folder: Path, name: str) -> bool:
    """Whether a folder contains the module or package ``name``."""
    return (folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file()


def listed(names: list[str]) -> str:
    """``a, b, c``, at most eight of them, and the number of the others."""
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more

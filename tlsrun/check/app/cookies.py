"""Calls of ``set_cookie()`` without ``secure``, found in the source without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tlsrun.apps.statements import parsed

#: The most that are reported.
_MOST = 20


def insecure_cookies(files: Iterable[Path]) -> list[dict[str, Any]]:
    """The lines that call ``set_cookie()`` without ``secure``, or with ``secure=False``."""
    found = [{"file": str(file), "line": line} for file in files for line in _lines(file)]
    return found[:_MOST]


def _lines(file: Path) -> Iterator[int]:
    for node in ast.walk(parsed(file)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr == "set_cookie" and not _is_secure(node):
            yield node.lineno


def _is_secure(call: ast.Call) -> bool:
    """Whether ``secure`` is given and not a false literal. ``**more`` may contain it, so that counts as secure."""
    for keyword in call.keywords:
        if keyword.arg is None:
            return True
        if keyword.arg == "secure":
            return not (isinstance(keyword.value, ast.Constant) and not keyword.value.value)
    return False

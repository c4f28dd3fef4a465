"""Importing an application without starting a server; the lines that would have started one are recorded."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tlsrun.apps import library_import
from tlsrun.apps.importing import importing_only
from tlsrun.optional import is_installed

#: The functions that start a server: module, attribute, and the call in prose. Our extensions replace the originals.
_STARTERS = (
    ("flask", "Flask.run", "app.run()"),
    ("flask_tlsrun.extension", "_run", "app.run()"),
    ("bottle", "run", "bottle.run()"),
)


@contextmanager
def recording_runs() -> Iterator[list[dict[str, Any]]]:
    """Collects the calls of `run` by modules that are imported inside the block: file, line and call."""
    calls: list[dict[str, Any]] = []
    with importing_only(), ExitStack() as stack:
        for module, attribute, call in _STARTERS:
            if _can_be_imported(module):
                owner, name = _place(module, attribute)
                stack.callback(setattr, owner, name, getattr(owner, name))
                setattr(owner, name, _recorder(calls, call))
        yield calls


def _place(module: str, attribute: str) -> tuple[Any, str]:
    """The object that has the attribute, and the attribute's name."""
    *path, name = attribute.split(".")
    return functools.reduce(getattr, path, importlib.import_module(module)), name


def _can_be_imported(module: str) -> bool:
    return is_installed(module.partition(".")[0]) and (module != "flask_tlsrun.extension" or is_installed("flask"))


def _recorder(calls: list[dict[str, Any]], call: str) -> Callable[..., None]:
    def record(*_: Any, **__: Any) -> None:
        site = library_import()
        if site is not None:
            calls.append({"call": call, "file": site.file, "line": site.line})

    return record

"""Importing an application without starting a server, and detecting that an import is in progress."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
from collections.abc import Iterator
from types import FrameType, ModuleType
from typing import Any, NamedTuple

_SCRIPT = "__main__"


@contextlib.contextmanager
def importing_only(*, bottle: ModuleType | None = None) -> Iterator[None]:
    """Keep `Flask.run` and `bottle.run` from starting a server inside the block.

    Arguments:
        bottle: the module; None to take it from ``sys.modules``, if it is there.
    """
    module: Any = bottle or sys.modules.get("bottle")
    from_cli, no_run = os.environ.get("FLASK_RUN_FROM_CLI"), getattr(module, "NORUN", None)
    os.environ["FLASK_RUN_FROM_CLI"] = "true"
    if module is not None:
        module.NORUN = True
    try:
        yield
    finally:
        if from_cli is None:
            os.environ.pop("FLASK_RUN_FROM_CLI", None)
        else:
            os.environ["FLASK_RUN_FROM_CLI"] = from_cli
        if module is not None:
            module.NORUN = no_run


class ImportSite(NamedTuple):
    """A line at the top level of a module that is being imported."""

    module: str
    file: str
    line: int


def is_library_import() -> bool:
    """Whether the caller runs, directly or indirectly, because a module is being imported."""
    return library_import() is not None


def library_import() -> ImportSite | None:
    """The module whose import has led to the caller; None in a script, or after its imports.

    A module's top level runs in a frame called ``<module>``, and the innermost one decides: it is an import unless it
    is the script's (``__main__``), since gunicorn, uWSGI, mod_wsgi and ``import`` give a module its own name. Outer
    frames do not matter: debuggers that run a script are modules themselves, under another name at that time. In a
    child of multiprocessing that was not forked, the script is imported again as ``__mp_main__``; a call without a
    guard must do nothing there, like a guarded one. Code that does not belong to a module (``exec``, an interactive
    console) is not an import.
    """
    frame: FrameType | None = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_name == "<module>":
            name = frame.f_globals.get("__name__")
            if name == _SCRIPT:
                return None
            if isinstance(name, str) and _is_module(name, frame.f_globals):
                return ImportSite(name, frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return None


def _is_module(name: str, namespace: dict[str, Any]) -> bool:
    module = sys.modules.get(name)
    return namespace.get("__spec__") is not None or getattr(module, "__dict__", None) is namespace

"""Importing an application starts no server, and whether an import is under way."""

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
    """While the block runs, neither `Flask.run` nor `bottle.run` starts anything.

    Arguments:
        bottle: the module; None takes it from ``sys.modules``, if it is there.
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
    """A line in the body of a module that is being imported."""

    module: str
    file: str
    line: int


def is_library_import() -> bool:
    """Whether the caller runs, however indirectly, because a module is being imported as a library."""
    return library_import() is not None


def library_import() -> ImportSite | None:
    """The module whose import has led to the caller; None in a script, or when its imports are done.

    A module's body is executed in a frame called ``<module>``, and the innermost one decides. It is a library's when
    it is not the script's (``__main__``): gunicorn, uWSGI, mod_wsgi and ``import`` give a module its own name. Further
    out may be anything: debuggers that run a script are modules themselves, which take another name for that time.
    In a child of multiprocessing that was not forked, the script is imported again, as ``__mp_main__``: a guarded
    call does nothing there, and so does one without a guard. Code that is executed but is no module (``exec``, an
    interactive console) is no import.
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

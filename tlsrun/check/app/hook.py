"""The setting ``context_hook``, imported as a server would import it."""

from __future__ import annotations

import importlib
import operator
import sys
from typing import Any

from tlsrun.check.app.runs import recording_runs
from tlsrun.check.app.task import ImportTask


def as_hook(task: ImportTask) -> dict[str, Any]:
    """Import a function.

    Arguments:
        task: ``target`` is ``module:function``.

    Returns:
        ``error``: the reason why it cannot be imported, or None.
    """
    sys.path.insert(0, task.folder)
    module, _, name = task.target.partition(":")
    try:
        with recording_runs():
            found = operator.attrgetter(name)(importlib.import_module(module))
    except BaseException as error:  # noqa: BLE001 -- sys.exit() in a module's body fails the import too
        return {"error": str(error) or type(error).__name__}
    return {"error": None if callable(found) else f"it is an object of type {type(found).__name__}, not a function"}

"""The process that imports the application in one way and reports the result.

``python -m tlsrun.check.app.child TASK`` writes one JSON object to its standard output and nothing else: what the
application prints is discarded.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from tlsrun.check.app.hook import as_hook
from tlsrun.check.app.library import as_library, failure
from tlsrun.check.app.script import as_script
from tlsrun.check.app.task import ImportTask, task_of

#: Name of the way -> the function that imports.
WAYS: Mapping[str, Callable[[ImportTask], dict[str, Any]]] = {
    "library": as_library,
    "script": as_script,
    "hook": as_hook,
}


def main(arguments: list[str]) -> None:
    """Import, answer, and exit without waiting for threads that the application has started."""
    task = task_of(arguments[0])
    answer = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    # `python -m` puts the current folder first; a server would not import from it.
    with contextlib.suppress(ValueError):
        sys.path.remove(os.getcwd())
    try:
        result = WAYS[task.way](task)
    except Exception as error:  # noqa: BLE001 -- an application can raise anything
        result = {"failed": failure(error, task.target)}
    with os.fdopen(answer, "w", encoding="utf-8") as out:
        json.dump(result, out)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])

"""The task of a process that imports an application."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class ImportTask:
    """One import.

    Arguments:
        way: ``library``, ``script`` or ``hook``.
        target: what to import.
        folder: for a hook, the folder to import it from.
        framework: the framework to look for first in the module; empty for any.
        prepare: ``module:function`` that the command which would serve the application calls with it; empty for none.
    """

    way: str
    target: str
    folder: str = ""
    framework: str = ""
    prepare: str = ""

    def as_argument(self) -> str:
        """The task as a command line argument."""
        return json.dumps(asdict(self))


def task_of(argument: str) -> ImportTask:
    """The task from `ImportTask.as_argument`."""
    return ImportTask(**json.loads(argument))

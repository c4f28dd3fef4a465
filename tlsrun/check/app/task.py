"""What a process that imports an application is told to do."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class ImportTask:
    """One import.

    Arguments:
        way: ``library``, ``script`` or ``hook``.
        target: what is imported.
        folder: where from, for a hook.
        framework: what to look for first in the module; empty for anything.
        prepare: ``module:function`` that the command which would serve the application calls with it; empty for none.
    """

    way: str
    target: str
    folder: str = ""
    framework: str = ""
    prepare: str = ""

    def as_argument(self) -> str:
        """As it is handed to the process."""
        return json.dumps(asdict(self))


def task_of(argument: str) -> ImportTask:
    """What was handed over."""
    return ImportTask(**json.loads(argument))

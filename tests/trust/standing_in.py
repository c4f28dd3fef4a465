"""Programs that stand in for those of another system: they write down how they were called."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

import pytest


def needs(program: str, package: str) -> None:
    """Skip the test where a program is not installed; in CI it must be."""
    if shutil.which(program) is None:
        assert os.environ.get("CI") != "true", f"{program} must be there in CI: apt-get install {package}"
        pytest.skip(f"{program} is not installed (apt-get install {package})")


class Program:
    """A shell script in place of a program.

    Arguments:
        folder: where it lies.
        does: what it does besides writing down its arguments, in sh.
    """

    def __init__(self, folder: Path, name: str, does: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / name
        self._log = folder / f"{name}.calls"
        self.path.write_text(
            f"#!/bin/sh\nfor word do printf '%s\\0' \"$word\"; done >> {shlex.quote(str(self._log))}\n"
            f"printf '\\n' >> {shlex.quote(str(self._log))}\n{does}\n"
        )
        self.path.chmod(0o755)

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of each call."""
        if not self._log.exists():
            return []
        return [line.split("\0")[:-1] for line in self._log.read_text().split("\n")[:-1]]

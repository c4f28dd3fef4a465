"""Interpreters on Linux that are made to look like those of other systems: folders for PYTHONPATH, each with a
`sitecustomize`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.support.process import APPLICATIONS, ROOT, Server, run

#: Flask and Bottle with the same pages.
APPS = APPLICATIONS / "newcomer"


class Done(NamedTuple):
    """How a command ended."""

    command: str
    code: int
    out: str
    err: str


@dataclass(frozen=True, kw_only=True)
class Shell:
    """Somebody at the keyboard of such a system, in a folder of theirs with two applications.

    Arguments:
        system: ``windows`` or ``macos``.
        folder: where they are.
    """

    system: str
    folder: Path

    @property
    def env(self) -> dict[str, str]:
        """What makes a Python look so."""
        places = (Path(__file__).parent / self.system, ROOT)
        return {"PYTHONPATH": os.pathsep.join(map(str, places)), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run ``python`` with these words, to its end."""
        return run([sys.executable, *words], cwd=self.folder, env=self.env)

    def each(self, *commands: str) -> Iterator[Done]:
        """Run commands (``tlsrun …``, ``flask …``), in one interpreter."""
        done = self.run("-m", "tests.systems.each", json.dumps(commands))
        assert done.returncode == 0, done
        return (Done(command, *one) for command, one in zip(commands, json.loads(done.stdout), strict=True))

    def start(self, *words: str | Path, **env: str) -> Server:
        """The same for a program that serves."""
        return Server([sys.executable, *words], cwd=self.folder, env={**self.env, **env})


def shell(system: str, folder: Path) -> Shell:
    """A `Shell`; the applications are copied to the folder."""
    shutil.copytree(APPS, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return Shell(system=system, folder=folder)

"""Runs the programs that read or change a store, without a shell and with a time limit."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

from tlsrun.trust.store import Command

#: Time limit for a program that asks nobody, in seconds; rebuilding Java's store takes a while.
PATIENCE = 120.0


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A program that has ended.

    Arguments:
        code: its exit code; None if it could not be started or was killed.
        output: its standard output and standard error together.
    """

    code: int | None
    output: str

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.code == 0

    @property
    def last_words(self) -> str:
        """The last line that it printed."""
        lines = [line for line in self.output.splitlines() if line.strip()]
        return lines[-1].strip() if lines else f"exit code {self.code}"


def run(command: Command, *, ask: bool = False) -> Ended:
    """Run ``command`` to its end.

    Arguments:
        ask: whether it may ask at the terminal (sudo, a database with a password). Otherwise it gets no terminal, since
            some programs ask again for ever.
    """
    try:
        done = subprocess.run(  # noqa: S603 -- programs of this system, and no shell
            command,
            stdin=None if ask else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if ask else subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C"},
            timeout=None if ask else PATIENCE,
            start_new_session=not ask,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Ended(code=None, output=f"{command[0]} did not end within {PATIENCE:.0f} seconds")
    except OSError as error:
        return Ended(code=None, output=f"{command[0]}: {error.strerror}")
    return Ended(code=done.returncode, output=done.stdout.decode(errors="replace"))

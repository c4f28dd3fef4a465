"""Programs that read or change a store: started without a shell, and never left waiting for an answer."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

from tlsrun.trust.store import Command

#: Seconds for one program that asks nobody; rebuilding Java's store from scratch takes some.
PATIENCE = 120.0


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A program that has ended.

    Arguments:
        code: its exit code; None when it could not be started, or had to be ended.
        output: what it printed, both streams together.
    """

    code: int | None
    output: str

    @property
    def ok(self) -> bool:
        """Whether it did what it was started for."""
        return self.code == 0

    @property
    def last_words(self) -> str:
        """The last line that it printed."""
        lines = [line for line in self.output.splitlines() if line.strip()]
        return lines[-1].strip() if lines else f"exit code {self.code}"


def run(command: Command, *, ask: bool = False) -> Ended:
    """Run ``command`` to its end.

    Arguments:
        ask: whether it may ask the person at the terminal (sudo, a database with a password). Otherwise it has no
            terminal at all: some programs ask for ever when nobody answers.
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

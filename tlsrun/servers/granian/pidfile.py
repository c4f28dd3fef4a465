"""Granian's ``pid_file``: contains the supervisor's process ID while it runs."""

from __future__ import annotations

import os
from pathlib import Path

from granian.errors import PidFileError
from granian.log import logger


def write(path: Path) -> None:
    """Write this process's ID.

    Raises:
        PidFileError: the file contains the ID of another running process, or no number.
    """
    if path.exists():
        try:
            other = int(path.read_text())
        except (OSError, ValueError) as error:
            logger.error(f"Unable to read existing PID file {path}")
            raise PidFileError from error
        if other != os.getpid() and _lives(other):
            logger.error(f"The PID file {path} already exists for {other}")
            raise PidFileError
    path.write_text(str(os.getpid()))


def remove(path: Path) -> None:
    """Remove the file if it contains this process's ID."""
    try:
        own = path.exists() and int(path.read_text()) == os.getpid()
    except (OSError, ValueError):
        logger.error(f"Unable to read PID file {path}")
        return
    if own:
        path.unlink()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True

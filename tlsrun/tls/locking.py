"""One process at a time: a lock that ends with the process that holds it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

if sys.platform != "win32":
    import fcntl


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Wait for, hold, and let go of the lock file ``path`` (flock(2)), which stays behind.

    On Windows nothing is locked: two first starts at once may each make a file there, the last one stays.

    Raises:
        OSError: the file cannot be made, or the file system knows no locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if sys.platform != "win32":
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

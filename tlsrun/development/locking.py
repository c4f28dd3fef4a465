"""One process at a time: a lock that ends with the process that holds it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tlsrun.locks import lock


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Wait for, hold, and let go of the lock file ``path``, which stays behind.

    Raises:
        OSError: the file cannot be made, or the file system knows no locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        lock(descriptor)
        yield
    finally:
        os.close(descriptor)

"""A lock between processes that is released when its holder exits."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tlsrun.locks import lock


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold a lock on the file ``path``, which is created and not removed.

    Raises:
        OSError: the file cannot be created, or the file system has no locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        lock(descriptor)
        yield
    finally:
        os.close(descriptor)

"""Locks on open files, which end with the process that holds them: flock(2); on Windows, those of its C runtime."""

from __future__ import annotations

import errno
import importlib
import os
import threading
from typing import Any

_fcntl: Any = None
_msvcrt: Any = None
try:
    _fcntl = importlib.import_module("fcntl")
except ImportError:
    _msvcrt = importlib.import_module("msvcrt")

#: Where Windows locks one byte: nobody else may read what is locked, so it lies beyond all that is ever written.
_PLACE = 1 << 30
_TRY_AGAIN = 0.05  # seconds


def lock(descriptor: int) -> None:
    """Wait for the lock on an open file.

    Raises:
        OSError: the file system knows no locks.
    """
    if _fcntl is not None:
        _fcntl.flock(descriptor, _fcntl.LOCK_EX)
        return
    pause = threading.Event()
    while not try_lock(descriptor):
        pause.wait(_TRY_AGAIN)


def try_lock(descriptor: int) -> bool:
    """Take the lock on an open file, or leave it; returns whether it was free."""
    if _fcntl is not None:
        try:
            _fcntl.flock(descriptor, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
    os.lseek(descriptor, _PLACE, os.SEEK_SET)
    try:
        # LK_LOCK would give up after ten seconds.
        _msvcrt.locking(descriptor, _msvcrt.LK_NBLCK, 1)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EDEADLK):
            return False
        raise
    return True

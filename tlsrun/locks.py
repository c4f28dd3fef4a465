"""Locks on open files that are released when their holder exits: flock(2), on Windows those of the C runtime."""

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

#: The offset of the byte that is locked on Windows. Locked bytes cannot be read, so it is beyond all contents.
_PLACE = 1 << 30
_TRY_AGAIN = 0.05  # seconds


def lock(descriptor: int) -> None:
    """Wait for the lock on an open file.

    Raises:
        OSError: the file system has no locks.
    """
    if _fcntl is not None:
        _fcntl.flock(descriptor, _fcntl.LOCK_EX)
        return
    pause = threading.Event()
    while not try_lock(descriptor):
        pause.wait(_TRY_AGAIN)


def try_lock(descriptor: int) -> bool:
    """Take the lock on an open file if it is free; returns whether it was."""
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

"""Files with secrets or state: private from their creation, written atomically."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tlsrun.system import REPLACES_OPEN_FILES

_PATIENCE, _TRY_AGAIN = 2.0, 0.02  # seconds


def write_atomic(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write ``data`` to ``path`` so that a reader sees either the old file or the new one.

    The temporary file has ``mode`` from the start, is synced, and then renamed (rename(2)). Windows cannot replace a
    file that is open; this waits up to 2 seconds for it.

    Raises:
        OSError: the folder cannot be written; on Windows, the file stays open.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _replace(temporary: Path, path: Path) -> None:
    deadline, pause = time.monotonic() + _PATIENCE, threading.Event()
    while True:
        try:
            temporary.replace(path)
        except PermissionError:
            if REPLACES_OPEN_FILES or time.monotonic() >= deadline:
                raise
        else:
            return
        pause.wait(_TRY_AGAIN)


def make_private_folder(path: Path, *, mode: int = 0o700) -> Path:
    """Create ``path`` and its parents; the folder itself gets ``mode``."""
    path.mkdir(parents=True, exist_ok=True, mode=mode)
    path.chmod(mode)
    return path


@contextlib.contextmanager
def in_memory_file(data: bytes) -> Iterator[str]:
    """A path of a file with ``data`` inside the block, for C APIs that only take file names.

    On Linux the bytes stay in memory (memfd_create(2)); on other systems it is a private temporary file.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("tlsrun", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, data)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.TemporaryDirectory(prefix="tlsrun-") as folder:
        path = Path(folder) / "pem"
        write_atomic(path, data)
        yield str(path)


def runtime_folder() -> Path:
    """This user's private folder for runtime state (in ``$XDG_RUNTIME_DIR``, otherwise in /tmp).

    Raises:
        OSError: it cannot be created, or belongs to another user.
    """
    given = os.environ.get("XDG_RUNTIME_DIR")
    # It is not writable for a process that logged in as root and has switched to another user.
    if given and os.access(given, os.W_OK):
        return make_private_folder(Path(given) / "tlsrun")
    return _below_tmp("tlsrun-{owner}", 0o700)


def passable_folder() -> Path:
    """This user's folder in /tmp that others may enter but not list (0711), for files that a process must read after it
    has switched to another user.

    Raises:
        OSError: as for `runtime_folder`.
    """
    return _below_tmp("tlsrun-passable-{owner}", 0o711)


def _below_tmp(name: str, mode: int) -> Path:
    owner = os.getuid() if hasattr(os, "getuid") else 0
    path = Path(tempfile.gettempdir()) / name.format(owner=owner)
    path.mkdir(mode=mode, exist_ok=True)
    # Anyone may write to /tmp: there may be a link, or another user's folder, under this name.
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != owner):
        raise PermissionError(f"{path} belongs to somebody else")
    path.chmod(mode)
    return path


def runtime_folders() -> tuple[Path, ...]:
    """`runtime_folder`, and for root those of all users, since a server that root starts may switch to another user.

    Raises:
        OSError: this user's own cannot be created, or belongs to another user.
    """
    own = runtime_folder()
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return (own,)
    temporary = Path(tempfile.gettempdir()).glob("tlsrun-*")
    sessions = Path("/run/user").glob("*/tlsrun")
    named = [(path, path.name.partition("-")[2]) for path in temporary]
    named += [(path, path.parent.name) for path in sessions]
    return tuple(dict.fromkeys((own, *(path for path, uid in named if _is_folder_of(path, uid)))))


def _is_folder_of(path: Path, uid: str) -> bool:
    """Whether ``path`` is a folder, and not a link, of the user with this number: anyone may write to /tmp."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and str(found.st_uid) == uid


def read_foreign(path: Path, *, at_most: int = 1024 * 1024) -> bytes:
    """Read a regular file in another user's folder, where it may be a link or a pipe.

    Arguments:
        at_most: the largest size, in bytes.

    Raises:
        OSError: it is not a regular file, is larger, or cannot be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise PermissionError(f"{path} is no regular file")
        data = file.read(at_most + 1)
    if len(data) > at_most:
        raise PermissionError(f"{path} is too large")
    return data


def data_folder() -> Path:
    """The user's folder for application data: ``$XDG_DATA_HOME`` (on macOS, too, like mkcert), or the system's default.

    Raises:
        RuntimeError: the user has no home folder.
    """
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home() / "AppData" / "Local")))
    if folder := os.environ.get("XDG_DATA_HOME"):
        return Path(folder)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path.home() / ".local" / "share"

"""The status of running servers: each process that terminates TLS writes a file, which its user and root can read.

It is a small JSON file in the user's private runtime folder. Files of processes that are gone are ignored, and removed
when the same user reads the next time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import logging
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any

from tlsrun.files import read_foreign, runtime_folder, runtime_folders, write_atomic
from tlsrun.locks import try_lock
from tlsrun.renewal.reload import Status
from tlsrun.system import KILL_ASKS

_log = logging.getLogger("tlsrun.status")

#: Identifies the processes of this server: inherited by a fork, new for each start.
_RUN = uuid.uuid4().hex


@dataclass(frozen=True, kw_only=True)
class ProcessStatus:
    """The status of a process.

    Arguments:
        run: the same for all processes of a server.
        pid: the process's number.
        born: when the kernel started it, to distinguish it from a later process with the same number.
        server: the name of the server.
        endpoint: where it listens: ``host:port``, or several addresses separated by commas.
        certificates: what it serves: the fields of `tlsrun.renewal.reload.Status`, dates in ISO 8601.
    """

    run: str
    pid: int
    born: str
    server: str
    endpoint: str
    certificates: Sequence[dict[str, Any]]


class StatusFile:
    """The status file of this process.

    Arguments:
        server: the name of the server.
        endpoint: where it listens: ``host:port``, or several addresses separated by commas.
    """

    def __init__(self, *, server: str, endpoint: str) -> None:
        self._server = server
        self._endpoint = endpoint

    def write(self, certificates: Sequence[Status]) -> None:
        """Write the file; if that fails, the server goes on without it."""
        status = ProcessStatus(
            run=_RUN,
            pid=os.getpid(),
            born=_born(os.getpid()),
            server=self._server,
            endpoint=self._endpoint,
            certificates=[_plain(one) for one in certificates],
        )
        try:
            path = runtime_folder() / f"{status.pid}.json"
            if not KILL_ASKS:
                _show_life(path)
            write_atomic(path, json.dumps(dataclasses.asdict(status)).encode())
        except OSError as error:
            _log.warning("the status cannot be written: %s", error)


def running() -> list[ProcessStatus]:
    """The status of all servers of this user, for root of all users; one entry for each process.

    Raises:
        OSError: the runtime folder cannot be read.
    """
    own, *others = runtime_folders()
    found = [*_living(own, sweep=True), *(status for folder in others for status in _living(folder, sweep=False))]
    return sorted(found, key=lambda status: (status.endpoint, status.pid))


def current() -> list[ProcessStatus]:
    """The status of the server to which this process belongs."""
    return [status for status in running() if status.run == _RUN]


def _living(folder: Path, *, sweep: bool) -> Iterator[ProcessStatus]:
    for path in folder.glob("*.json"):
        try:
            status = ProcessStatus(**json.loads(read_foreign(path)))
            _check(status)
        except (OSError, ValueError, TypeError, KeyError):
            continue
        if _lives(status, path):
            yield status
        elif sweep:
            for file in (path, *([] if KILL_ASKS else [_lock_beside(path)])):
                with contextlib.suppress(OSError):
                    file.unlink()


def _lives(status: ProcessStatus, path: Path) -> bool:
    return _born(status.pid) == status.born if KILL_ASKS else _is_locked(_lock_beside(path))


#: A lock that this process holds while it runs, on systems where a process cannot be tested otherwise.
_life: int | None = None


def _lock_beside(path: Path) -> Path:
    return path.with_suffix(".lock")


def _show_life(path: Path) -> None:
    global _life
    if _life is None:
        _life = os.open(_lock_beside(path), os.O_RDWR | os.O_CREAT, 0o600)
        try_lock(_life)


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return not try_lock(descriptor)
    finally:
        os.close(descriptor)


_MOMENTS = ("not_after", "good_from", "good_until", "loaded_at")
_LISTS = ("hosts", "names", "files")


def _check(status: ProcessStatus) -> None:
    """Check that it is what `StatusFile` writes, since root reads files of other users.

    Raises:
        ValueError: it is not.
        TypeError: it is not.
        KeyError: it is not.
    """
    texts = (status.run, status.born, status.server, status.endpoint)
    if type(status.pid) is not int or not all(isinstance(text, str) for text in texts):
        raise TypeError("a number and text expected")
    for one in status.certificates:
        clients = one["clients"]
        for name in _MOMENTS:
            _check_moment(one[name])
        for loaded in (one, *([clients] if clients else [])):
            _check_moment(loaded["loaded_at"])
            if loaded["last_error_at"] is not None:
                _check_moment(loaded["last_error_at"])
            ", ".join(part for name in _LISTS if name in loaded for part in loaded[name])
        if not isinstance(one["limited_by"], (str, NoneType)) or not isinstance(one["renewed"], (int, float, NoneType)):
            raise TypeError("text and a number expected")
        if {field.name for field in dataclasses.fields(Status)} - set(one):
            raise KeyError("fields are missing")


def _check_moment(text: Any) -> None:
    if datetime.datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("a time with its zone expected")


def _born(pid: int) -> str:
    """When ``pid`` was started (proc_pid_stat(5), field 22); "" if it is gone, "?" if that cannot be found out."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):  # ESRCH: it ended between the opening and the reading
        pass
    if os.path.isdir("/proc/self"):
        return ""
    if not KILL_ASKS:
        return "?"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return "?"
    return "?"


def _plain(status: Status) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in dataclasses.asdict(status).items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [str(part) for part in value]
    if isinstance(value, dict):
        return {name: _plain_value(part) for name, part in value.items()}
    return value

"""A value that is read from files, and read again when they change; if that fails, the old one is kept."""

from __future__ import annotations

import datetime
import hashlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from tlsrun.errors import TLSRunError

_log = logging.getLogger("tlsrun.reload")

T = TypeVar("T")
_Signature: TypeAlias = tuple[tuple[int, ...], ...]

#: Seconds after which a failed load is tried again even if no file has changed (a certificate may become valid).
RETRY = 60.0


@dataclass(frozen=True, kw_only=True)
class Reading(Generic[T]):
    """A value as it was read, and what its files were just before.

    Arguments:
        value: read and checked.
        seen: what the files looked like, to see whether they have changed since.
        digest: of their contents; None where it was given as text.
        at: when that was, UTC.
    """

    value: T
    seen: _Signature = ()
    digest: bytes | None = None
    at: datetime.datetime = field(default_factory=lambda: utc_now())


def read(files: tuple[Path, ...], load: Callable[[], T]) -> Reading[T]:
    """What ``load`` reads of ``files``; a change during the read shows in a later comparison with `Reading.seen`."""
    seen, digest, at = _signature(files), _digest(files), utc_now()
    return Reading(value=load(), seen=seen, digest=digest, at=at)


@dataclass(frozen=True, kw_only=True)
class WatchedSource(Generic[T]):
    """Where a value comes from.

    Arguments:
        load: reads and checks it; raises any exception if it cannot be served.
        files: the files to watch; empty if it was given as text.
        find: finds the files to watch each time, if they may be added and removed (in a folder); None for ``files``.
        renewed: how long before its end something renews a certificate automatically; None if nothing does.
        first: what this process has read of it already; None if nothing.
    """

    load: Callable[[], T]
    files: tuple[Path, ...] = ()
    find: Callable[[], tuple[Path, ...]] | None = None
    renewed: datetime.timedelta | None = None
    first: Reading[T] | None = None

    def read(self) -> Reading[T]:
        """Read it now."""
        return read(self.watched, self.load)

    @property
    def watched(self) -> tuple[Path, ...]:
        """The files to watch now."""
        return self.files if self.find is None else self.find()

    @property
    def spelled(self) -> str:
        """The files, for a log line."""
        return ", ".join(map(str, self.files)) or "inline text"


@dataclass(frozen=True, kw_only=True)
class Times:
    """When a value is read again even if its files have not changed.

    Arguments:
        ends: when it stops being valid, so that a replacement that was refused is tried again at once.
        changes: when reading it would give another result.
    """

    ends: datetime.datetime | None = None
    changes: tuple[datetime.datetime, ...] = ()


class Slot(Generic[T]):
    """The last good value of a source, and the state of its files. Not safe for use by several threads.

    Arguments:
        origin: the source, which is read at once if it has no first reading; its exceptions are passed on.
        validate: called with the old and a new value; raises if the new one cannot replace the old one.
        describe: describes the value in service, for a log line.
        times: when to read the value again without a change of its files.

    Attributes:
        value: the last good value.
        settled: for `validate`: whether the same contents were refused before, so that nobody is still writing them.
        loaded_at: when the value was read, in UTC.
        error: why the last attempt failed; None if it succeeded.
        error_at: when that was, in UTC.
    """

    def __init__(
        self,
        origin: WatchedSource[T],
        *,
        validate: Callable[[T, T], None],
        describe: Callable[[T], str],
        times: Callable[[T], Times] = lambda value: Times(),
    ) -> None:
        self.origin = origin
        self.settled = False
        self._times_of = times
        self._validate = validate
        self._describe = describe
        reading = origin.first or origin.read()
        self._seen, self._digest, self.value = reading.seen, reading.digest, reading.value
        self._times = times(self.value)
        self.loaded_at = reading.at
        self.error: str | None = None
        self.error_at: datetime.datetime | None = None
        self._complained_of: bytes | str | None = None
        self._changing = False

    def changed(self) -> bool:
        """Whether to `read` now: the files were different at the last call, too, or it is time.

        This is one call after the change, since certificate and key are usually written one after the other.
        """
        if _signature(self.origin.watched) == self._seen:
            self._changing = False
            return self._is_due(utc_now())
        was_changing, self._changing = self._changing, True
        return was_changing

    def _is_due(self, now: datetime.datetime) -> bool:
        if self.error_at is None:
            return self._has_turned(now)
        ends = self._times.ends
        return (now - self.error_at).total_seconds() >= RETRY or (ends is not None and self.error_at <= ends < now)

    def _has_turned(self, now: datetime.datetime) -> bool:
        return any(self.loaded_at <= change < now for change in self._times.changes)

    def stale(self) -> bool:
        """Whether the files differ from those that were read last."""
        return _signature(self.origin.watched) != self._seen

    def read(self, *, even_unchanged: bool = False) -> bool:
        """Read the value again; if it cannot be served, the old one stays, and the reason is logged once.

        Arguments:
            even_unchanged: load even if the contents are those of the last good value.

        Returns:
            whether there is a new value.
        """
        seen, digest = _signature(self.origin.watched), _digest(self.origin.watched)
        unchanged = digest is not None and digest == self._digest
        if unchanged and not even_unchanged and not self._has_turned(utc_now()):
            self._accept_files(seen, digest)
            return False
        self.settled = digest is not None and digest == self._complained_of
        try:
            value = self.origin.load()
            self._validate(self.value, value)
        except Exception as error:  # noqa: BLE001 -- whatever a loader raises, the last good value stays
            if _signature(self.origin.watched) == seen:
                self._refuse(seen, digest, error)
            return False
        self.value = value
        self._times = self._times_of(value)
        self.loaded_at = utc_now()
        self._accept_files(seen, digest)
        return True

    def _accept_files(self, seen: _Signature, digest: bytes | None) -> None:
        self._seen, self._digest = seen, digest
        self._changing = False
        self.error = self.error_at = None
        self._complained_of = None

    def _refuse(self, seen: _Signature, digest: bytes | None, error: Exception) -> None:
        self._seen = seen
        self._changing = False
        self.error, self.error_at = _in_words(error), utc_now()
        # Compare contents, since the words change with time ("expired 2 minutes ago").
        complaint = digest or self.error
        if complaint != self._complained_of:
            described = self._describe(self.value)
            _log.warning("kept %s; not reloaded from %s: %s", described, self.origin.spelled, self.error)
        self._complained_of = complaint


def utc_now() -> datetime.datetime:
    """The current time, with its time zone."""
    return datetime.datetime.now(datetime.timezone.utc)


def _in_words(error: Exception) -> str:
    if isinstance(error, TLSRunError):
        return " ".join(str(error).splitlines())
    return f"{type(error).__name__}: {error}"


def _signature(files: tuple[Path, ...]) -> _Signature:
    # stat(2) follows symbolic links, so a link that is changed to another file has another inode.
    return tuple(_stat(file) for file in files)


def _stat(file: Path) -> tuple[int, ...]:
    try:
        found = os.stat(file)
    except OSError as error:
        return (error.errno or 0,)
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _digest(files: tuple[Path, ...]) -> bytes | None:
    whole = hashlib.sha256()
    try:
        for file in files:
            data = file.read_bytes()
            whole.update(len(data).to_bytes(8, "big") + data)
    except OSError:
        return None
    return whole.digest() if files else None

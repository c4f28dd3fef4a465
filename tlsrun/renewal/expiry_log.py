"""Warnings in the log that a certificate expires: once for each stage, for all processes of a server together."""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence

from tlsrun.certificates.names import words_of
from tlsrun.certificates.validity import expired_words, expires_words
from tlsrun.renewal.expiry import Life
from tlsrun.renewal.status import Status

try:
    import fcntl
except ImportError:  # Windows, where nothing forks
    fcntl = None  # type: ignore[assignment]

_log = logging.getLogger("tlsrun.expiry")


class ExpiryLog:
    """The warnings so far, shared by processes that are forked after this was created.

    They are kept in an unnamed file, which disappears with the last process, under a lock that ends with its holder.
    """

    def __init__(self) -> None:
        self._served: Sequence[Status] = ()
        self._due = datetime.datetime.max.replace(tzinfo=datetime.timezone.utc)
        self._said: dict[str, str] = {}
        self._board: int | None = None
        if fcntl is not None:
            with contextlib.suppress(OSError):  # without a file each process logs its own warnings
                self._board = _nameless_file()

    def heed(self, served: Sequence[Status]) -> None:
        """Watch these certificates from now on.

        Arguments:
            served: all that are in service; replaces the previous ones.
        """
        self._served = served
        self._due = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)

    def look(self, now: datetime.datetime) -> None:
        """Log the warnings that are due. To be called each second; if none is due, it costs one comparison.

        Arguments:
            now: the current time, with its time zone.
        """
        if now < self._due:
            return
        for status in self._served:
            mark = status.term.mark(now)
            if mark is not None and self._is_first(f"{status.fingerprint} {status.good_until}", mark):
                _log.log(*_words(status, now))
        self._due = min((status.term.next_mark(now) for status in self._served), default=self._due)

    def _is_first(self, certificate: str, mark: datetime.datetime) -> bool:
        """Whether no process has logged this warning yet."""
        with self._locked():
            told = self._said.get(certificate)
            if told is not None and datetime.datetime.fromisoformat(told) >= mark:
                return False
            self._said[certificate] = mark.isoformat()
            return True

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        if self._board is None or fcntl is None:
            yield
            return
        # A record lock belongs to one process; a lock by flock(2) would be shared by all that inherited the file.
        fcntl.lockf(self._board, fcntl.LOCK_EX)
        try:
            self._said = self._read(self._board)
            yield
            data = json.dumps(self._said).encode()
            os.ftruncate(self._board, len(data))
            os.pwrite(self._board, data, 0)
        finally:
            fcntl.lockf(self._board, fcntl.LOCK_UN)

    @staticmethod
    def _read(board: int) -> dict[str, str]:
        """The warnings so far; none if a process was killed while writing, so that some are repeated."""
        try:
            return dict(json.loads(os.pread(board, os.fstat(board).st_size, 0)))
        except (ValueError, TypeError):
            return {}


def _words(status: Status, now: datetime.datetime) -> tuple[int, str]:
    """The logging level and the text."""
    what = f"the certificate for {words_of(status.names)} ({', '.join(map(str, status.files)) or 'text'})"
    if status.limited_by is not None:
        what = f"the issuer {status.limited_by}, sent with {what},"
    if status.last_error is not None:
        remedy = f"the new one is not served: {status.last_error}"
    elif status.renewed is not None:
        remedy = "start this server again, and a new one is made"
    else:
        remedy = "renew it (certbot: certbot renew)"
    if status.term.life(now) is Life.EXPIRED:
        return logging.ERROR, f"{what} {expired_words(status.good_until, now)}, and clients refuse it: {remedy}"
    return logging.WARNING, f"{what} {expires_words(status.good_until, now)}: {remedy}"


def _nameless_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("tlsrun-expiry", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())

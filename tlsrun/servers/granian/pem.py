"""The PEM files that Granian reads: private, written atomically, one folder per version, removed with the server."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tlsrun.account import Account
from tlsrun.certificates.identity import Identity
from tlsrun.files import make_private_folder, passable_folder, runtime_folder, write_atomic
from tlsrun.tls.context import ClientAuth

_PREFIX = "granian-"
_LOCK = "lock"
_CRL = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class PemFiles:
    """The files of one version.

    Arguments:
        folder: contains the files below.
        cert: the leaf certificate and its chain.
        key: the private key, decrypted.
        ca: the CAs of client certificates; None if clients are not asked for any.
        crls: revocation lists, one per file, because Granian reads only the first of a file.
    """

    folder: Path
    cert: Path
    key: Path
    ca: Path | None
    crls: tuple[Path, ...]


class PemFolder:
    """A folder that only this user may enter (0700), with files that only this user may read (0600).

    Arguments:
        reader: the account that the workers change to. It cannot enter this user's runtime folder: then it owns the
            files, in folders of ours that it may traverse (0711).

    Raises:
        OSError: the folder cannot be created.
    """

    def __init__(self, reader: Account | None = None) -> None:
        self._reader = reader
        self._mode = 0o700 if reader is None else 0o711
        parent = runtime_folder() if reader is None else passable_folder()
        _sweep(parent)
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        self.path.chmod(self._mode)
        # The lock is held until this process and all workers forked from it have ended.
        self._lock = os.open(self.path / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._versions = 0

    def write(self, identity: Identity, clients: ClientAuth | None) -> PemFiles:
        """Write a new version; earlier ones stay.

        Raises:
            OSError: the files cannot be written.
        """
        self._versions += 1
        folder = make_private_folder(self.path / str(self._versions), mode=self._mode)
        lists = _CRL.findall(clients.crl) if clients and clients.crl else []
        files = PemFiles(
            folder=folder,
            cert=folder / "fullchain.pem",
            key=folder / "privkey.pem",
            ca=folder / "client-ca.pem" if clients else None,
            crls=tuple(folder / f"client-crl-{number}.pem" for number in range(1, len(lists) + 1)),
        )
        self._put(files.cert, identity.fullchain)
        self._put(files.key, identity.key)
        if clients and files.ca:
            self._put(files.ca, clients.ca)
        for path, data in zip(files.crls, lists, strict=True):
            self._put(path, data + b"\n")
        return files

    def _put(self, path: Path, data: bytes) -> None:
        write_atomic(path, data)
        if self._reader is not None:
            os.chown(path, self._reader.uid, self._reader.gid)

    def keep_only(self, files: PemFiles) -> None:
        """Remove every other version."""
        for path in self.path.iterdir():
            if path.is_dir() and path != files.folder:
                shutil.rmtree(path, ignore_errors=True)

    def remove(self) -> None:
        """Remove everything; to be called by the process that created it, once no worker needs it any more."""
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.close(self._lock)


def _sweep(parent: Path) -> None:
    """Remove the folders of servers that were killed: those whose lock is not held."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(lock)

"""Where certificates and keys come from, and reading them; errors name the absolute path."""

from __future__ import annotations

import os
import re
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from tlsrun.certificates.passwords import PasswordPlace
from tlsrun.errors import CertificateError, Problem

if sys.platform != "win32":
    import grp
    import pwd

#: In bytes; no certificate file is larger. A device or database named by mistake is not read into memory.
LARGEST = 8 * 1024 * 1024


#: The scheme of a URI (RFC 3986, section 3.1); one letter would be a Windows drive.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_IN_DEVICE = (
    "Keys in tokens (PKCS #11, TPM) are not supported: name a key in a file, "
    "or let a proxy that can use the token end TLS"
)
_URI_REMEDIES = {
    "pkcs11": _IN_DEVICE,
    "engine": _IN_DEVICE,
    "handle": _IN_DEVICE,
    "tpmkey": _IN_DEVICE,
    "file": "Name the file by its path alone",
    "data": "Give the PEM text itself",
}


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a certificate or key comes from: a file, or the PEM text itself.

    Arguments:
        given_by: the setting as the user spelled it, for messages (``TLS_CERT in app.config``).
        path: the file; None if ``text`` is given.
        text: the PEM itself; None if ``path`` is given.
    """

    given_by: str
    path: Path | None = None
    text: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if (self.path is None) == (self.text is None):
            raise ValueError("a source is a path or a text, and not both")

    @property
    def name(self) -> str:
        """What to call it in a message: the absolute path (links kept), or ``the text given``."""
        return "the text given" if self.path is None else os.path.abspath(self.path)

    def problem(self, what: str, remedy: str, code: str | None = None) -> Problem:
        """A `Problem` with this source; arguments as there."""
        return Problem(where=self.given_by, what=what, remedy=remedy, code=code)

    def error(self, what: str, remedy: str, code: str | None = None) -> CertificateError:
        """A CertificateError with that one problem."""
        return CertificateError([self.problem(what, remedy, code)])

    @property
    def argument(self) -> str:
        """The file as an argument of a shell command."""
        return "FILE" if self.path is None else shlex.quote(os.path.abspath(self.path))


@dataclass(frozen=True, kw_only=True)
class IdentitySources:
    """The places an identity is read from.

    Arguments:
        cert: the certificate, usually followed by its chain.
        key: the private key; None if it is in the same file as the certificate.
        chain: files with intermediates that ``cert`` does not hold.
        password: of an encrypted key, or of a PKCS #12 bundle.
        password_from: where it was read from, to read it again if it does not open a renewed key; None if it was set.
    """

    cert: Source
    key: Source | None = None
    chain: tuple[Source, ...] = ()
    password: bytes | None = field(default=None, repr=False)
    password_from: PasswordPlace | None = None

    @property
    def places(self) -> tuple[Source, ...]:
        """All sources, each once."""
        given = (self.cert, *(() if self.key is None else (self.key,)), *self.chain)
        return tuple(dict.fromkeys(given))

    @property
    def files(self) -> tuple[Path, ...]:
        """The sources that are files, each once."""
        return tuple(dict.fromkeys(source.path for source in self.places if source.path))


def read_source(source: Source) -> bytes:
    """The bytes of ``source``.

    Raises:
        CertificateError: with one problem: missing, a folder, unreadable, empty, far too large.
    """
    data = source.text if source.path is None else _read_file(source, source.path)
    if not (data or b"").strip():
        remedy = "Write the PEM again; a full disk or a failed renewal leaves such files"
        raise source.error(f"{source.name} is empty", remedy, "TLS105")
    return data or b""


def _read_file(source: Source, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except IsADirectoryError:
        _refuse_folder(source, path)
    except (FileNotFoundError, NotADirectoryError):
        _refuse_missing(source, path)
    except PermissionError:
        _refuse_unreadable(source, path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise source.error(f"{source.name!r} cannot be read: {reason}", "Check the path", "TLS104") from error
    if len(data) > LARGEST:
        raise source.error(f"{source.name} is larger than 8 MiB, so it is no certificate", "Check the path", "TLS104")
    return data


def _refuse_folder(source: Source, path: Path) -> NoReturn:
    inside = [name for name in ("fullchain.pem", "privkey.pem") if os.path.exists(path / name)]
    found = f" ({' and '.join(inside)}?)" if inside else ""
    raise source.error(f"{source.name} is a folder", f"Name a file in it{found}", "TLS104")


def _refuse_missing(source: Source, path: Path) -> NoReturn:
    if path.is_symlink():
        what = f"{source.name} is a link to {os.path.realpath(path)}, which does not exist"
        raise source.error(what, "Mend the link, or name the file itself", "TLS101")
    if scheme := _SCHEME.match(str(path)):
        what = f"{path} is a URI ({scheme[1]}:), and certificates and keys are read from files alone"
        raise source.error(what, _URI_REMEDIES.get(scheme[1].lower(), "Name a file in PEM"), "TLS124")
    remedy = "Check the path"
    if not path.is_absolute():
        remedy += f"; a relative path starts at the working directory, which is {os.getcwd()}"
    raise source.error(f"the file {source.name} does not exist", remedy, "TLS101")


def _refuse_unreadable(source: Source, path: Path) -> NoReturn:
    user, group = _reader()
    obstacle = _closed_folder(path)
    if obstacle is not None:
        what = f"{source.name} cannot be read by {user}: the folder {obstacle} is closed to it"
        shown = shlex.quote(obstacle)
        remedy = f"Open it to a group that the server is in: chgrp {group} {shown} && chmod g+x {shown}"
    else:
        what = f"{source.name} cannot be read by {user}"
        shown = shlex.quote(os.path.realpath(path))
        remedy = f"Let a group that the server is in read it: chgrp {group} {shown} && chmod 640 {shown}"
    raise source.error(what, f"{remedy}; or start the server as the file's owner", "TLS102")


def _reader() -> tuple[str, str]:
    """The user of this process, for a sentence, and its primary group, for a command."""
    if sys.platform == "win32":
        return "this user", "GROUP"
    number = os.geteuid()
    try:
        user = f"the user {pwd.getpwuid(number).pw_name} (uid {number})"
    except KeyError:
        user = f"the user with the uid {number}"
    try:
        return user, grp.getgrgid(os.getegid()).gr_name
    except KeyError:
        return user, str(os.getegid())


def may_read(path: Path) -> bool:
    """Whether this process, by its effective user, may read ``path``; also False if that does not exist."""
    return _allowed(path, os.R_OK)


def _allowed(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _closed_folder(path: Path) -> str | None:
    """The first folder above ``path``, as given or with links resolved, that this process may not enter."""
    for way in (Path(os.path.abspath(path)), Path(os.path.realpath(path))):
        for folder in reversed(way.parents):
            if not _allowed(folder, os.X_OK):
                return str(folder)
    return None

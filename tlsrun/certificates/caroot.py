"""Where the local development CA lives: mkcert's names and places, then our own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tlsrun.errors import CertificateError, Problem
from tlsrun.files import data_folder

# As in mkcert's manual ("Changing the location of the CA files").
ROOT_NAME = "rootCA.pem"
ROOT_KEY_NAME = "rootCA-key.pem"

#: Where a certificate from these folders comes from, in messages.
GIVEN_BY = "the development certificate"


def explicit_caroot() -> Path | None:
    """The folder that ``$CAROOT`` names; None if it is not set."""
    value = os.environ.get("CAROOT")
    return Path(value).absolute() if value else None


def mkcert_caroot() -> Path:
    """mkcert's default folder on this system.

    Raises:
        CertificateError: the user has no home folder.
    """
    return _data_folder() / "mkcert"


def own_folder() -> Path:
    """Our own data folder: the CA that we make, and the certificates that we issue.

    Raises:
        CertificateError: the user has no home folder.
    """
    return _data_folder() / "tlsrun"


def caroots() -> tuple[Path, ...]:
    """All folders that may hold a development CA, in order of precedence."""
    explicit = explicit_caroot()
    folders = [] if explicit is None else [explicit]
    with contextlib.suppress(CertificateError):
        folders += [mkcert_caroot(), own_folder()]
    return tuple(folders)


def _data_folder() -> Path:
    try:
        return data_folder()
    except RuntimeError as error:
        what = "there is no folder to keep it in: this user has no home"
        remedy = "Set XDG_DATA_HOME to a folder that may be written, or TLS_CERT and TLS_KEY (--cert, --key)"
        raise CertificateError([Problem(where=GIVEN_BY, what=what, remedy=remedy, code="TLS151")]) from error


@contextlib.contextmanager
def writing(folder: Path, *, variable: str) -> Iterator[None]:
    """Turn an OSError in the block into an error that says that ``folder`` cannot be written.

    Arguments:
        variable: the environment variable that moves the folder elsewhere.

    Raises:
        CertificateError: an OSError was raised in the block.
    """
    try:
        yield
    except OSError as error:
        what = f"it cannot be kept in {folder.absolute()}: {error.strerror or error}"
        remedy = f"Set {variable} to a folder that may be written, or TLS_CERT and TLS_KEY (--cert, --key)"
        raise CertificateError([Problem(where=GIVEN_BY, what=what, remedy=remedy, code="TLS151")]) from error

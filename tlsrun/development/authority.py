"""The local development CA on disk: mkcert's if there is one, otherwise our own."""

from __future__ import annotations

import datetime
import getpass
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from tlsrun.certificates.caroot import ROOT_KEY_NAME, ROOT_NAME, explicit_caroot, mkcert_caroot, own_folder, writing
from tlsrun.certificates.chain import is_ca
from tlsrun.certificates.findings import Findings
from tlsrun.certificates.keys import PrivateKey, certificate_spki, key_pem, key_spki, read_key
from tlsrun.certificates.material import read_certificates, read_material
from tlsrun.certificates.sources import Source, may_read
from tlsrun.development.issue import CertificateAuthority, make_authority
from tlsrun.development.locking import only_one
from tlsrun.errors import CertificateError
from tlsrun.files import make_private_folder, write_atomic

_MKCERT = "mkcert development CA"  # the organization in its root


@dataclass(frozen=True, kw_only=True)
class StoredAuthority:
    """A CA and its files.

    Arguments:
        path: the root certificate's path; the key is in the same folder.
        created: whether it was created just now, so that nobody trusts it yet.
    """

    authority: CertificateAuthority
    path: Path
    created: bool = False


def obtain_authority(now: datetime.datetime) -> StoredAuthority:
    """The development CA: in ``$CAROOT`` if that is set, otherwise mkcert's or our own; created if there is none.

    A CA of mkcert's without its key, as mkcert allows on machines that only trust it, is skipped.

    Arguments:
        now: the current time, with its time zone.

    Raises:
        CertificateError: the CA is damaged or expired, or a new one cannot be written.
    """
    folder = _folder()
    if _has_root(folder):
        return _open(folder, now)
    variable = "CAROOT" if folder == explicit_caroot() else "CAROOT or XDG_DATA_HOME"
    return _make(folder, now, variable=variable)


def find_authority(now: datetime.datetime) -> StoredAuthority | None:
    """The development CA that `obtain_authority` would return; None if it would create one. Writes nothing.

    Raises:
        CertificateError: the CA is damaged or expired.
    """
    folder = _folder()
    return _open(folder, now) if _has_root(folder) else None


def find_root() -> Path | None:
    """The path of that CA's root certificate, whatever its dates and key; None if one would be created.

    Raises:
        CertificateError: the user has no home folder, or a root that must be examined is damaged.
    """
    folder = _folder()
    return folder / ROOT_NAME if _has_root(folder) else None


def _folder() -> Path:
    """The folder of the CA, or for a new one."""
    explicit = explicit_caroot()
    if explicit is not None and not _has_root(explicit):
        return explicit
    folder = mkcert_caroot() if explicit is None else explicit
    return own_folder() if not _has_root(folder) or _only_trusts(folder) else folder


def _only_trusts(folder: Path) -> bool:
    """Whether ``folder`` has a CA of mkcert's without its key."""
    keyless = not may_read(folder / ROOT_KEY_NAME)
    return keyless and (folder == mkcert_caroot() or _is_mkcerts(_read_root(folder)))


def _has_root(folder: Path) -> bool:
    return os.path.lexists(folder / ROOT_NAME)


def _is_mkcerts(root: x509.Certificate) -> bool:
    names = root.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return any(name.value == _MKCERT for name in names)


def _open(folder: Path, now: datetime.datetime) -> StoredAuthority:
    """The CA in ``folder``, after checking it."""
    certificate, key = _read_root(folder), _read_key(folder)
    if key_spki(key) != certificate_spki(certificate):
        raise _damaged(folder, f"{ROOT_KEY_NAME} is not the key of {ROOT_NAME}")
    if not is_ca(certificate):
        raise _damaged(folder, f"{ROOT_NAME} is not the certificate of a CA")
    if now > certificate.not_valid_after_utc:
        raise _damaged(folder, f"{ROOT_NAME} expired on {certificate.not_valid_after_utc:%Y-%m-%d}")
    return StoredAuthority(authority=CertificateAuthority(certificate=certificate, key=key), path=folder / ROOT_NAME)


def _read_root(folder: Path) -> x509.Certificate:
    source = Source(given_by=f"the development CA in {folder}", path=folder / ROOT_NAME)
    try:
        return read_certificates(read_material(source), Findings())[0].certificate
    except CertificateError as error:
        raise _translated(folder, error) from error


def _read_key(folder: Path) -> PrivateKey:
    source = Source(given_by=f"the development CA in {folder}", path=folder / ROOT_KEY_NAME)
    try:
        material = read_material(source)
        read = read_key(source, material.data, material.pem, None, Findings())
    except CertificateError as error:
        raise _translated(folder, error) from error
    if read.key is None:
        raise _damaged(folder, f"{ROOT_KEY_NAME} is a key of the kind {read.kind}, which cannot sign here")
    return read.key


def _translated(folder: Path, error: CertificateError) -> CertificateError:
    """``error`` itself if the file may not be read, which has another remedy than a damaged one."""
    if isinstance(error.__context__, PermissionError):
        return error
    return _damaged(folder, error.problems[0].what)


def _damaged(folder: Path, what: str) -> CertificateError:
    remedy = f"Remove {ROOT_NAME} and {ROOT_KEY_NAME} there: a new CA is made then, to be trusted anew"
    if folder != own_folder():
        remedy = f"Restore both files in {folder}, or have new ones: remove both and run mkcert -install"
    return CertificateError.of(where=f"the development CA in {folder}", what=what, remedy=remedy, code="TLS151")


def _make(folder: Path, now: datetime.datetime, *, variable: str) -> StoredAuthority:
    """Create a CA in ``folder``, or return the one that another process has created meanwhile."""
    with writing(folder, variable=variable):
        if not folder.is_dir():
            make_private_folder(folder)
        with only_one(folder / ".lock"):
            if _has_root(folder):
                return _open(folder, now)
            key_path = folder / ROOT_KEY_NAME
            # A key without certificate is from an interrupted start, or the user's: never overwrite it.
            key = _read_key(folder) if os.path.lexists(key_path) else None
            authority = make_authority(_owner(), now=now, key=key)
            if key is None:
                write_atomic(key_path, key_pem(authority.key))
            write_atomic(folder / ROOT_NAME, authority.pem)
    return StoredAuthority(authority=authority, path=folder / ROOT_NAME, created=True)


def _owner() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a uid without a name, in a container
        user = "user"
    return f"{user}@{socket.gethostname()}"

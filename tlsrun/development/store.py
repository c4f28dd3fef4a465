"""Development certificates, kept in the data folder and renewed in time."""

from __future__ import annotations

import datetime
import hashlib
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes

from tlsrun.certificates.caroot import GIVEN_BY, own_folder, writing
from tlsrun.certificates.chain import is_signed_by
from tlsrun.certificates.identity import Identity, IdentitySources, Source, load_identity
from tlsrun.development.authority import StoredAuthority, find_authority, obtain_authority
from tlsrun.development.issue import CertificateAuthority, clean_names, issue_leaf
from tlsrun.development.locking import only_one
from tlsrun.errors import CertificateError
from tlsrun.files import make_private_folder, write_atomic

ALWAYS = ("localhost", "127.0.0.1", "::1")
RENEWED_BEFORE = datetime.timedelta(days=30)

_WILDCARDS = ("", "0.0.0.0", "::")  # noqa: S104 -- compared with, not bound to


@dataclass(frozen=True, kw_only=True)
class DevelopmentIdentity:
    """A development certificate, and the CA to trust.

    Arguments:
        sources: the certificate's files.
        identity: the certificate and key from these files.
        ca_path: the path of the CA's root certificate.
        created: whether that CA was created just now, so that no browser trusts it yet.
    """

    sources: IdentitySources
    identity: Identity
    ca_path: Path
    created: bool


def development_identity(names: Sequence[str], *, now: datetime.datetime) -> DevelopmentIdentity:
    """A certificate for ``names``, localhost, 127.0.0.1 and ::1 from the local development CA.

    An existing one is used while it has 30 days left; if there is any fault with it, a new one replaces it.

    Arguments:
        names: the hosts and addresses that are served; a wildcard address stands for this machine's host name.
        now: the current time, with its time zone.

    Raises:
        CertificateError: a name cannot be in a certificate, the CA is damaged, or nothing can be written.
    """
    wanted = _wanted(names)
    stored = obtain_authority(now)
    folder = _leaves(stored)
    sources = _sources(folder, wanted)
    identity = _kept(sources, stored.authority, wanted, now) or _issue(folder, sources, stored, wanted, now)
    return DevelopmentIdentity(sources=sources, identity=identity, ca_path=stored.path, created=stored.created)


def find_development_identity(names: Sequence[str], *, now: datetime.datetime) -> DevelopmentIdentity | None:
    """The existing certificate that `development_identity` would return; None if it would issue one. Writes nothing.

    Raises:
        CertificateError: a name cannot be in a certificate, or the CA is damaged.
    """
    wanted, stored = _wanted(names), find_authority(now)
    if stored is None:
        return None
    sources = _sources(_leaves(stored), wanted)
    identity = _kept(sources, stored.authority, wanted, now)
    if identity is None:
        return None
    return DevelopmentIdentity(sources=sources, identity=identity, ca_path=stored.path, created=False)


def _leaves(stored: StoredAuthority) -> Path:
    return own_folder() / "leaves" / _hash(stored.authority.certificate.fingerprint(hashes.SHA256()))


def _wanted(names: Sequence[str]) -> tuple[str, ...]:
    given = [name for name in names if name.strip("[]") not in _WILDCARDS]
    wanted = clean_names((*ALWAYS, *given))
    if len(given) == len(names):
        return wanted
    try:
        return clean_names((*wanted, socket.gethostname()))
    except CertificateError:  # the host name cannot be in a certificate
        return wanted


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _sources(folder: Path, wanted: Sequence[str]) -> IdentitySources:
    name = _hash("\n".join(sorted(wanted)).encode())
    return IdentitySources(
        cert=Source(given_by=GIVEN_BY, path=folder / f"{name}.pem"),
        key=Source(given_by=GIVEN_BY, path=folder / f"{name}-key.pem"),
    )


def _kept(
    sources: IdentitySources, ca: CertificateAuthority, wanted: Sequence[str], now: datetime.datetime
) -> Identity | None:
    """The certificate in the files, if it can still be used."""
    try:
        identity = load_identity(sources)
    except CertificateError:
        return None
    return identity if _will_do(identity, ca, wanted, now) else None


def _will_do(identity: Identity, ca: CertificateAuthority, wanted: Sequence[str], now: datetime.datetime) -> bool:
    # In the CA's last month no certificate can be valid for longer.
    end = min(now + RENEWED_BEFORE, ca.certificate.not_valid_after_utc)
    in_time = identity.not_before <= now <= identity.not_after and identity.not_after >= end
    signed = is_signed_by(identity.certificate, ca.certificate)
    return in_time and signed and set(wanted) <= set(identity.names)


def _issue(
    folder: Path,
    sources: IdentitySources,
    stored: StoredAuthority,
    wanted: Sequence[str],
    now: datetime.datetime,
) -> Identity:
    """Issue a certificate, or return the one that another process has issued meanwhile."""
    with writing(folder, variable="XDG_DATA_HOME"):
        for one in (own_folder(), folder.parent, folder):
            make_private_folder(one)
        with only_one(folder / ".lock"):
            quicker = _kept(sources, stored.authority, wanted, now)
            if quicker is not None:
                return quicker
            identity = issue_leaf(stored.authority, wanted, now=now)
            for source, data in ((sources.key, identity.key), (sources.cert, identity.fullchain)):
                if source is not None and source.path is not None:
                    write_atomic(source.path, data)
    return identity

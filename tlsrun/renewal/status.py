"""What is served at this moment, from which files, and what became of the last attempt to renew it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

from tlsrun.certificates.identity import Identity
from tlsrun.certificates.names import shown_name
from tlsrun.certificates.roots import known_root
from tlsrun.certificates.validity import first_to_end
from tlsrun.renewal.expiry import Term
from tlsrun.tls.context import ClientAuth
from tlsrun.tls.origin import Slot


@dataclass(frozen=True, kw_only=True)
class ClientStatus:
    """Whose certificates clients show at this moment.

    Arguments:
        mode: ``optional`` or ``required``.
        files: from which authorities and revocation lists were read.
        loaded_at, last_error, last_error_at: as those of `Status`.
    """

    mode: str
    files: tuple[Path, ...]
    loaded_at: datetime.datetime
    last_error: str | None
    last_error_at: datetime.datetime | None


@dataclass(frozen=True, kw_only=True)
class Status:
    """What is served from one origin at this moment.

    Arguments:
        hosts: the names in the SNI table that it serves; none for the default.
        names: for which the certificate is.
        serial: as browsers show it.
        fingerprint: SHA-256 of the certificate, as openssl prints it.
        not_after: the end of its validity, UTC.
        good_from, good_until: when clients accept it, UTC: its own dates, or those of the issuer that is sent with it,
            where that ends first.
        limited_by: that issuer; None where there is none such.
        renewed: how many seconds before its end something renews it by itself; None where nothing does.
        files: from which it was read.
        loaded_at: when, UTC.
        last_error: why the last attempt to reload failed; None when it did not.
        last_error_at: when that was, UTC.
        clients: at the first one of an endpoint, where clients show certificates; else None.
    """

    hosts: tuple[str, ...]
    names: tuple[str, ...]
    serial: str
    fingerprint: str
    not_after: datetime.datetime
    good_from: datetime.datetime
    good_until: datetime.datetime
    limited_by: str | None
    renewed: float | None
    files: tuple[Path, ...]
    loaded_at: datetime.datetime
    last_error: str | None
    last_error_at: datetime.datetime | None
    clients: ClientStatus | None = None

    @property
    def term(self) -> Term:
        """When it is good, and when something renews it."""
        renewed = None if self.renewed is None else datetime.timedelta(seconds=self.renewed)
        return Term(begins=self.good_from, ends=self.good_until, renewed=renewed)


def status_of(slot: Slot[Identity], hosts: tuple[str, ...]) -> Status:
    """What ``slot`` holds, which the SNI table serves for ``hosts``."""
    identity, renewed = slot.value, slot.origin.renewed
    limit = first_to_end(identity.certificate, identity.chain, known_root=known_root)
    return Status(
        hosts=hosts,
        names=identity.names,
        serial=identity.serial,
        fingerprint=identity.fingerprint,
        not_after=identity.not_after,
        good_from=limit.not_valid_before_utc,
        good_until=limit.not_valid_after_utc,
        limited_by=None if limit is identity.certificate else shown_name(limit.subject),
        renewed=None if renewed is None else renewed.total_seconds(),
        files=slot.origin.files,
        loaded_at=slot.loaded_at,
        last_error=slot.error,
        last_error_at=slot.error_at,
    )


def client_status_of(slot: Slot[ClientAuth]) -> ClientStatus:
    """Whose certificates clients show."""
    return ClientStatus(
        mode=slot.value.mode,
        files=slot.origin.watched,
        loaded_at=slot.loaded_at,
        last_error=slot.error,
        last_error_at=slot.error_at,
    )

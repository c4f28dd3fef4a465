"""What is served at this moment: certificates, their files, and the result of the last attempt to reload them."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

from tlsrun.certificates.identity import Identity
from tlsrun.certificates.names import shown_name, words_of
from tlsrun.certificates.roots import known_root
from tlsrun.certificates.validity import first_to_end, moment
from tlsrun.renewal.expiry import Term
from tlsrun.tls.context import ClientAuth
from tlsrun.tls.origin import Slot


@dataclass(frozen=True, kw_only=True)
class ClientStatus:
    """The client CA in service.

    Arguments:
        mode: ``optional`` or ``required``.
        files: the files with authorities and revocation lists.
        loaded_at: see `Status`.
        last_error: see `Status`.
        last_error_at: see `Status`.
    """

    mode: str
    files: tuple[Path, ...]
    loaded_at: datetime.datetime
    last_error: str | None
    last_error_at: datetime.datetime | None


@dataclass(frozen=True, kw_only=True)
class Status:
    """A certificate in service.

    Arguments:
        hosts: the names of the SNI table that it serves; empty for the default certificate.
        names: the names in the certificate.
        serial: the serial number, as browsers show it.
        fingerprint: the SHA-256 fingerprint, as openssl prints it.
        not_after: the end of its validity, in UTC.
        good_from: from when clients accept it, in UTC: its own date, or that of an issuer that ends before it.
        good_until: until when clients accept it, in UTC.
        limited_by: that issuer; None if there is none.
        renewed: how many seconds before its end something renews it automatically; None if nothing does.
        files: the files from which it was read.
        loaded_at: when it was read, in UTC.
        last_error: why the last attempt to reload it failed; None if it succeeded.
        last_error_at: when that was, in UTC.
        clients: the client CA, with the default certificate only; None if no client certificates are requested.
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
        """Its validity for clients, and when something renews it."""
        renewed = None if self.renewed is None else datetime.timedelta(seconds=self.renewed)
        return Term(begins=self.good_from, ends=self.good_until, renewed=renewed)


def status_of(slot: Slot[Identity], hosts: tuple[str, ...]) -> Status:
    """The status of ``slot``, which the SNI table serves for ``hosts``."""
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
    """The status of the client CA."""
    return ClientStatus(
        mode=slot.value.mode,
        files=slot.origin.watched,
        loaded_at=slot.loaded_at,
        last_error=slot.error,
        last_error_at=slot.error_at,
    )


def describe(identity: Identity) -> str:
    """A certificate, for the log."""
    return f"certificate for {words_of(identity.names)} (valid until {moment(identity.not_after)})"


def describe_client(client_auth: ClientAuth) -> str:
    """What clients are verified against, for the log."""
    return f"client CA ({client_auth.mode}{', with revocation lists' if client_auth.crl else ''})"

"""The certificates that Granian serves: validated here, written as files, and tried before any worker loads them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from tlsrun.certificates.identity import Identity
from tlsrun.deciding.plan import Plan
from tlsrun.errors import CertificateError, ConfigurationError, Problem
from tlsrun.listening.address import spell_all
from tlsrun.renewal.expiry_log import ExpiryLog
from tlsrun.renewal.reload import Certificates, Status
from tlsrun.servers.granian.pem import PemFiles, PemFolder
from tlsrun.servers.granian.trust import handed_over, state_of
from tlsrun.status import StatusFile
from tlsrun.tls.client import lacks
from tlsrun.tls.context import ClientAuth
from tlsrun.tls.origin import utc_now

_log = logging.getLogger("tlsrun.granian")

_Seen: TypeAlias = tuple[Identity, ClientAuth | None, tuple[object, ...]]

#: Returns why Granian cannot serve these files; None if it can.
Trial = Callable[[PemFiles], str | None]


class GranianCertificates:
    """Renews the certificates of Granian's workers; used in the supervisor only.

    Arguments:
        certificates: reads and validates them.
        folder: where they are written for the workers.
        trial: has Granian load them in a throwaway process.

    Attributes:
        files: what workers started from now on are to load.

    Raises:
        CertificateError: Granian cannot serve them.
        ConfigurationError: the folder cannot be written.
    """

    def __init__(self, plan: Plan, certificates: Certificates, folder: PemFolder, trial: Trial) -> None:
        self._certificates = certificates
        self._watches = plan.reload
        self._folder = folder
        self._trial = trial
        self._status = StatusFile(server=plan.server, endpoint=spell_all(plan.listeners))
        self._expiry = ExpiryLog()
        self._reported: tuple[Status, ...] = ()
        self._refusal: Status | None = None
        self._plan = plan
        self._seen = self._look()
        try:
            self.files = folder.write(*self._handed())
        except OSError as error:
            what = f"certificate and key cannot be written to {folder.path}: {error.strerror or error}"
            remedy = "Make room there, or set XDG_RUNTIME_DIR or TMPDIR to a folder that has some"
            raise ConfigurationError([Problem(where="granian", what=what, remedy=remedy)]) from error
        objection = trial(self.files)
        if objection is not None:
            raise CertificateError([_problem(plan, objection)])

    def renew(self, *, at_once: bool) -> bool:
        """Check for new certificates; those that cannot be served are logged, and the old ones stay in service.

        Arguments:
            at_once: read every file again, whether it has changed or not.

        Returns:
            whether `files` are new.
        """
        if at_once:
            self._certificates.reload()
        elif self._watches:
            self._certificates.reload_changed()
        found = self._look()
        if _same(found, self._seen):
            return False
        self._seen = found
        return self._take()

    def _look(self) -> _Seen:
        """The current state; a revocation list may have expired although no file has changed."""
        return (*self._certificates.current(), state_of(self._certificates.authorities))

    def _handed(self) -> tuple[Identity, ClientAuth | None]:
        identity, clients = self._certificates.current()
        return identity, handed_over(clients, self._certificates.authorities)

    def _take(self) -> bool:
        objection = self._lacks()
        try:
            if objection is None:
                files = self._folder.write(*self._handed())
                objection = self._trial(files)
        except OSError as error:
            objection = f"the private folder {self._folder.path} cannot be written: {error.strerror or error}"
        if objection is not None:
            self._refuse(objection)
            return False
        self.files, self._refusal = files, None
        return True

    def _lacks(self) -> str | None:
        """Why Granian could not apply the revocation lists, as a sentence; None if it can."""
        _, clients = self._certificates.current()
        sources = self._plan.clients
        if clients is None or sources is None:
            return None
        return next((f"{one.what}. {one.remedy}" for one in lacks(clients, sources)), None)

    def _refuse(self, objection: str) -> None:
        first, *_ = self._certificates.status()
        files = ", ".join(map(str, first.files)) or "inline text"
        self._refusal = replace(self._reported[0] if self._reported else first, last_error=objection)
        self._refusal = replace(self._refusal, last_error_at=utc_now())
        _log.warning("kept the certificate in service; not reloaded from %s: %s", files, objection)

    @property
    def folder(self) -> str:
        """Path of the private folder."""
        return str(self._folder.path)

    def forget_others(self) -> None:
        """Remove the files of former certificates, once every worker has loaded `files`."""
        self._folder.keep_only(self.files)

    def report(self) -> None:
        """Update the file that `tlsrun status` reads if anything has changed; log certificates that expire soon."""
        status = self._certificates.status()
        if self._refusal is not None:
            status = (self._refusal, *status[1:])
        if status != self._reported:
            self._status.write(status)
            self._expiry.heed(status)
            self._reported = status
        self._expiry.look(utc_now())


def _same(one: _Seen, other: _Seen) -> bool:
    return one[0] is other[0] and one[1] is other[1] and one[2] == other[2]


def _problem(plan: Plan, objection: str) -> Problem:
    if "InvalidCrl" in objection and plan.clients is not None and plan.clients.crl is not None:
        return plan.clients.crl.problem(
            what=f"Granian cannot read a revocation list in {plan.clients.crl.name}: {objection}",
            remedy="Look at each (openssl crl -noout -text): it wants version 2, with authorityKeyIdentifier and "
            "crlNumber; or use another server",
            code="TLS222",
        )
    return plan.sources.cert.problem(
        what=f"Granian cannot serve this {plan.identity.key_type} certificate: {objection}",
        remedy="It takes RSA of 2048 to 4096 bits, ECDSA on P-256 and P-384, and Ed25519; or use another server",
        code="TLS203",
    )

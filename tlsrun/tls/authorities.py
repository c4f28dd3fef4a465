"""The authorities between a client and the root: what revocation lists say of each, and when that changes.

OpenSSL can look up a client's own certificate, or every certificate of its path, and then wants a list from every
authority (X509_VERIFY_PARAM_set_flags(3), X509_V_FLAG_CRL_CHECK_ALL). Between the two stands what is wanted: each
certificate against the lists that are there. So OpenSSL looks up the client's, and the authorities' are looked up here.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from tlsrun.certificates.chain import is_signed_by
from tlsrun.certificates.names import shown_name
from tlsrun.certificates.pem import parse_pem
from tlsrun.tls.context import ClientAuth
from tlsrun.tls.origin import utc_now
from tlsrun.tls.revocation import RevocationList, comparable, objection, oddities, read_lists

#: Authorities that one client may show. Paths have three or four; a long row of them would keep a processor busy.
MOST = 10
#: Signatures that are verified for one row of them: a row whose members bear one name would ask for each with each.
_SIGNATURES = 24
#: Bits of an RSA key that somebody shows; a signature by one of 16384 takes eight times as long as by one of 8192.
_LARGEST_RSA = 8192
#: Rows of authorities whose outcome is kept: most clients show the same ones.
_KEPT = 256


def authorities_of(client_auth: ClientAuth | None) -> Authorities | None:
    """What is to be said against the authorities that sign clients; None where no lists are.

    Raises:
        ValueError: an authority, or a list, cannot be read.
    """
    if client_auth is None or client_auth.crl is None:
        return None
    trusted = [block.der for block in parse_pem(client_auth.ca).certificates]
    return Authorities(trusted, read_lists(client_auth.crl))


class Authorities:
    """What is to be said against authorities. Safe to use from several threads.

    Arguments:
        trusted: certificates of the trusted authorities, DER.
        lists: what is there.
        clock: gives the time, with its zone.

    Raises:
        ValueError: one of the certificates cannot be read.
    """

    def __init__(
        self,
        trusted: Sequence[bytes],
        lists: Sequence[RevocationList],
        *,
        clock: Callable[[], datetime.datetime] = utc_now,
    ) -> None:
        self._trusted = {der: x509.load_der_x509_certificate(der) for der in trusted}
        self._subjects = {der: _subject(one) for der, one in self._trusted.items()}
        self._lists = tuple(lists)
        self._clock = clock
        self._moments = sorted({moment for one in lists for moment in one.moments})
        # Together: who finds something out late puts it where it was true.
        self._kept: tuple[datetime.datetime | None, dict[tuple[bytes, ...], Mapping[bytes, str]]]
        self._kept = (self._next_moment(self._clock()), {})
        self._said: frozenset[str] = frozenset()
        self._said_until: datetime.datetime | None = self._clock()

    @property
    def trusted(self) -> tuple[bytes, ...]:
        """The trusted authorities, DER, in order."""
        return tuple(self._trusted)

    @property
    def lists(self) -> tuple[RevocationList, ...]:
        """What is there."""
        return self._lists

    def without_list(self) -> tuple[x509.Certificate, ...]:
        """The trusted authorities of which there is no list."""
        return tuple(one for one in self._trusted.values() if not any(known.is_of(one) for known in self._lists))

    def in_force(self) -> tuple[RevocationList, ...]:
        """The lists that can be gone by at this moment, as far as they say so themselves."""
        now = self._clock()
        return tuple(one for one in self._lists if one.in_force(now))

    def objections(self, shown: Sequence[bytes] = ()) -> Mapping[bytes, str]:
        """The authorities that must not be on a client's path, each with the reason, as a sentence without a stop.

        Arguments:
            shown: the authorities that a client shows, DER; nobody has verified any of them.

        Raises:
            ValueError: they are too many, or bear one name, or one cannot be read.
        """
        if len(shown) > MOST:
            raise ValueError(f"there are {len(shown)}, and {MOST} are looked up at most")
        until, kept = self._kept
        now = self._clock()
        if (until is not None and now > until) or len(kept) >= _KEPT:
            until, kept = self._kept = (self._next_moment(now), {})
        key = tuple(shown)
        found = kept.get(key)
        if found is None:
            found = kept[key] = MappingProxyType(self._find(key, now))
        return found

    def faults(self, now: datetime.datetime) -> Iterator[tuple[str, str]]:
        """What keeps lists from being gone by, or authorities that are trusted: a sentence, and what to do."""
        odd = False
        for one in self._lists:
            for what, remedy in oddities(one, tuple(self._trusted.values()), now):
                odd = True
                yield f"{one.name} {what}", remedy
        if not odd:
            for words in self.objections().values():
                yield words, "Take it out of the trusted authorities, and have its clients' certificates issued anew"

    def news(self) -> tuple[str, ...]:
        """The `faults` that have come since the last call. Costs nothing while no list begins or ends."""
        now = self._clock()
        if self._said_until is None or now <= self._said_until:
            return ()
        said = self._said
        self._said = frozenset(what for what, _ in self.faults(now))
        self._said_until = self._next_moment(now)
        return tuple(sorted(self._said - said))

    def _next_moment(self, now: datetime.datetime) -> datetime.datetime | None:
        return next((moment for moment in self._moments if moment > now), None)

    def _find(self, shown: tuple[bytes, ...], now: datetime.datetime) -> dict[bytes, str]:
        # What is trusted is judged among itself: it does not depend on what a client shows besides.
        looked_at = self._trusted
        if shown:
            looked_at = {der: x509.load_der_x509_certificate(der) for der in shown if der not in self._trusted}
        found = dict(self.objections()) if shown else {}
        by_subject = _by_subject({**self._subjects, **{der: _subject(one) for der, one in looked_at.items()}})
        certificates = {**self._trusted, **looked_at}
        candidates = {der: by_subject.get(one.issuer.public_bytes(), ()) for der, one in looked_at.items()}
        if shown:
            _refuse_toil([certificates[one] for above in candidates.values() for one in above])
        issuers = {
            der: tuple(above for above in candidates[der] if is_signed_by(one, certificates[above]))
            for der, one in looked_at.items()
        }
        for der, certificate in looked_at.items():
            words = self._objection(certificate, [certificates[one] for one in issuers[der]], now)
            if words is None and shown and not issuers[der]:
                words = self._unsigned(certificate, certificates)
            if words is not None:
                serial = f"{certificate.serial_number:X}"
                found[der] = f"the authority {shown_name(certificate.subject)} (serial number {serial}): {words}"
        _hand_down(found, issuers)
        return found

    def _objection(
        self, certificate: x509.Certificate, issuers: Sequence[x509.Certificate], now: datetime.datetime
    ) -> str | None:
        found = (objection(certificate, issuer, self._lists, now) for issuer in issuers)
        return next((words for words in found if words is not None), None)

    def _unsigned(self, certificate: x509.Certificate, candidates: Mapping[bytes, x509.Certificate]) -> str | None:
        """Of one that stands on a list perhaps, and whose signature nobody here can verify."""
        name = comparable(certificate.issuer)
        if not any(one.issuer == name for one in self._lists):
            return None
        if not any(comparable(one.subject) == name for one in candidates.values()):
            return None
        return f"none of the certificates of its issuer {shown_name(certificate.issuer)} has signed it"


def _refuse_toil(signers: Sequence[x509.Certificate]) -> None:
    """Raises ValueError where signatures by all of these would keep a processor busy, for somebody who is unknown."""
    if len(signers) > _SIGNATURES:
        raise ValueError(f"too many of them bear one name: {len(signers)} signatures would have to be verified")
    for one in signers:
        key = one.public_key()
        if isinstance(key, rsa.RSAPublicKey) and key.key_size > _LARGEST_RSA:
            raise ValueError(f"one has an RSA key of {key.key_size} bits, the longest is {_LARGEST_RSA}")


def _subject(certificate: x509.Certificate) -> bytes:
    return certificate.subject.public_bytes()


def _by_subject(subjects: Mapping[bytes, bytes]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for der, subject in subjects.items():
        found.setdefault(subject, []).append(der)
    return found


def _hand_down(found: dict[bytes, str], issuers: Mapping[bytes, Sequence[bytes]]) -> None:
    """What is said against an authority counts for those below it, unless another one has signed them too.

    OpenSSL would end a path at the first authority that is trusted, and not look above it.
    """
    for _ in issuers:
        below = {
            der: found[above[0]]
            for der, above in issuers.items()
            if der not in found and above and all(one in found for one in above)
        }
        if not below:
            return
        found.update(below)

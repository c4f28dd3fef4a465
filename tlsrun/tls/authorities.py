"""The authorities between a client and the root: whether revocation lists revoke them, and when that changes.

OpenSSL can check a client's certificate only, or every certificate in its path, which then requires a list from every
authority (X509_VERIFY_PARAM_set_flags(3), X509_V_FLAG_CRL_CHECK_ALL). What is wanted lies between: each certificate is
checked against the lists that are there. So OpenSSL checks the client's certificate, and this module the authorities'.
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

#: The most authorities that a client may send. Paths have three or four; a long chain would keep a processor busy.
MOST = 10
#: The most signatures verified for one chain: if all its members had the same name, each would be tried with each.
_SIGNATURES = 24
#: Largest RSA key in bits; verifying a signature with 16384 bits takes eight times as long as with 8192.
_LARGEST_RSA = 8192
#: The most chains whose result is cached; most clients send the same one.
_KEPT = 256


def authorities_of(client_auth: ClientAuth | None) -> Authorities | None:
    """What revocation lists say against the client authorities; None without lists.

    Raises:
        ValueError: an authority, or a list, cannot be read.
    """
    if client_auth is None or client_auth.crl is None:
        return None
    trusted = [block.der for block in parse_pem(client_auth.ca).certificates]
    return Authorities(trusted, read_lists(client_auth.crl))


class Authorities:
    """What revocation lists say against authorities. Safe for use by several threads.

    Arguments:
        trusted: the certificates of the trusted authorities, DER.
        lists: the revocation lists.
        clock: returns the current time, with its time zone.

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
        # One tuple: a thread that finishes late stores its result in the cache of its own time.
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
        """The revocation lists."""
        return self._lists

    def without_list(self) -> tuple[x509.Certificate, ...]:
        """The trusted authorities without a list."""
        return tuple(one for one in self._trusted.values() if not any(known.is_of(one) for known in self._lists))

    def in_force(self) -> tuple[RevocationList, ...]:
        """The lists that are usable now, by their own fields."""
        now = self._clock()
        return tuple(one for one in self._lists if one.in_force(now))

    def objections(self, shown: Sequence[bytes] = ()) -> Mapping[bytes, str]:
        """The authorities that must not be in a client's path, each with the reason, a sentence without a full stop.

        Arguments:
            shown: the authorities that a client sent, DER; they are not verified.

        Raises:
            ValueError: there are too many, too many have the same name, or one cannot be read.
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
        """Faults of lists, or revoked trusted authorities: a sentence, and what to do."""
        odd = False
        for one in self._lists:
            for what, remedy in oddities(one, tuple(self._trusted.values()), now):
                odd = True
                yield f"{one.name} {what}", remedy
        if not odd:
            for words in self.objections().values():
                yield words, "Take it out of the trusted authorities, and have its clients' certificates issued anew"

    def news(self) -> tuple[str, ...]:
        """The `faults` that are new since the last call. It is free while no list becomes valid or expires."""
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
        # The trusted authorities are judged on their own, whatever a client sends.
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
        """The reason against a certificate that may be on a list, and whose signature cannot be verified here."""
        name = comparable(certificate.issuer)
        if not any(one.issuer == name for one in self._lists):
            return None
        if not any(comparable(one.subject) == name for one in candidates.values()):
            return None
        return f"none of the certificates of its issuer {shown_name(certificate.issuer)} has signed it"


def _refuse_toil(signers: Sequence[x509.Certificate]) -> None:
    """Raise ValueError if verifying signatures by all of these would keep a processor busy for an unknown client."""
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
    """Extend a reason against an authority to those below it, unless another authority has signed them, too.

    OpenSSL ends a path at the first trusted authority and does not look above it.
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

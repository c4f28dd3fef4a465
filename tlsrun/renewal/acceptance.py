"""Whether a certificate that was read is served: one judgement for the start and for each renewal.

A renewal accepts what a start would accept. If a good certificate is in service, one more question is asked: whether
the file may be truncated because somebody is still writing it.

    in service       in the file                                       result
    nothing (start)  refused by every client                           an error; a warning if only this machine can
                                                                       connect, and for the names of `sni`
    nothing (start)  anything else                                     served
    refused by all   valid today                                       served, whatever its chain
    good             refused by every client                           not served
    good             a shorter chain that ends at no known authority:  served a minute later, if unchanged
                     it may be truncated
    good             anything else                                     served

"Refused by every client" is `tlsrun.certificates.validity.refusal`. What cannot be read, or has a key or signature that
nobody should accept, does not get this far: see `tlsrun.certificates.identity.load_identity`.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import takewhile

from cryptography import x509

from tlsrun.certificates.chain import GivenCertificate, is_signed_by, missing_issuer
from tlsrun.certificates.identity import Identity, validity_problem
from tlsrun.certificates.roots import known_root
from tlsrun.certificates.sources import Source
from tlsrun.certificates.validity import in_date
from tlsrun.errors import Problem


def objection(
    old: Identity | None,
    new: Identity,
    source: Source,
    *,
    now: datetime.datetime,
    known_root: Callable[[x509.Certificate], bool] = known_root,
    settled: bool = True,
) -> Problem | None:
    """Why ``new`` must not replace ``old``; None if it may.

    Arguments:
        old: the identity in service; None at the start.
        source: where the new certificate was read from.
        now: the current time, with its time zone.
        known_root: whether a root known to this machine signed a certificate.
        settled: whether the files have not changed since the last attempt, so that nobody is writing them.
    """
    good = old is not None and validity_problem(old, now, source, known_root=known_root) is None
    if old is not None and not good and in_date(new.certificate, now):
        return None
    problem = validity_problem(new, now, source, known_root=known_root)
    if problem is not None or old is None or settled:
        return problem
    # Issuers that have expired meanwhile are rightly missing from the new chain.
    before = [old.certificate, *takewhile(lambda one: in_date(one, now), old.chain)]
    return _cut_chain(before, new, source, known_root)


def _cut_chain(
    before: Sequence[x509.Certificate], new: Identity, source: Source, known_root: Callable[[x509.Certificate], bool]
) -> Problem | None:
    end = (new.certificate, *new.chain)[-1]
    if known_root(end) or is_signed_by(end, end):
        return None
    # A chain that ends at the same issuer as the one in service is complete.
    if 1 + len(new.chain) >= len(before) or end.issuer == before[-1].issuer:
        return None
    return replace(
        missing_issuer(GivenCertificate(certificate=end, source=source)),
        remedy="Write the whole chain into the file; what is in it now is served if it stays so for a minute, "
        "as it would be at a start",
    )

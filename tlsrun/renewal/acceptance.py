"""Whether what was read is served: one judgement, for the start and for each renewal.

What the start would serve is served, for the same reasons. One thing more is asked where something good is in service
already: whether the file may be cut, because somebody is still writing it.

    in service       in the file                                       then
    nothing (start)  what every client refuses                         an error; a warning where nobody else than this
                                                                       machine comes, and for the names of `sni`
    nothing (start)  anything else                                     served
    refused by all   in date                                           served, whatever its chain looks like
    good             what every client refuses                         not served
    good             a chain that is shorter, and ends at nobody that  served a minute later, if it is the same then
                     is known here: it may be cut
    good             anything else                                     served

"What every client refuses" is `tlsrun.certificates.validity.refusal`. Whatever cannot be read, or is signed or keyed in
a way that nobody should accept, does not get this far: see `tlsrun.certificates.identity.load_identity`.
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
    """Why ``new`` must not be served, in place of ``old``; None when it may.

    Arguments:
        old: what is in service; None at the start.
        source: where the new certificate was read from.
        now: the time, with its zone.
        known_root: whether a root that this machine knows signed a certificate.
        settled: whether the files were looked at before, and are the same: nobody is writing them.
    """
    good = old is not None and validity_problem(old, now, source, known_root=known_root) is None
    if old is not None and not good and in_date(new.certificate, now):
        return None
    problem = validity_problem(new, now, source, known_root=known_root)
    if problem is not None or old is None or settled:
        return problem
    # What has expired in service is left out of the new chain, and nobody lacks it.
    before = [old.certificate, *takewhile(lambda one: in_date(one, now), old.chain)]
    return _cut_chain(before, new, source, known_root)


def _cut_chain(
    before: Sequence[x509.Certificate], new: Identity, source: Source, known_root: Callable[[x509.Certificate], bool]
) -> Problem | None:
    end = (new.certificate, *new.chain)[-1]
    if known_root(end) or is_signed_by(end, end):
        return None
    # A chain that ends where the one in service ends lacks nothing that it has.
    if 1 + len(new.chain) >= len(before) or end.issuer == before[-1].issuer:
        return None
    return replace(
        missing_issuer(GivenCertificate(certificate=end, source=source)),
        remedy="Write the whole chain into the file; what is in it now is served if it stays so for a minute, "
        "as it would be at a start",
    )

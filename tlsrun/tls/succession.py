"""Whether a renewed certificate may take the place of the one in service.

What the start would serve is served, by the same judgement (`tlsrun.tls.validity.refusal`). One thing more is asked,
because something good is in service: whether the file is cut, and lacks an issuer that clients need.

    in service   in the file                                             then
    expired      in date                                                 served
    in date      what the start would refuse                             not served
    in date      the certificate alone, below an issuer that is in       not served: clients need that issuer
                 service, or that it gives an address of
    in date      another chain that is shorter, and ends at nobody       served a minute later, if it is the same then
                 that is known here
    in date      anything else                                           served
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import takewhile

from cryptography import x509

from tlsrun.errors import Problem
from tlsrun.tls.chain import Given, is_signed_by, missing_issuer
from tlsrun.tls.identity import Identity, validity_problem
from tlsrun.tls.names import issuer_address
from tlsrun.tls.sources import Source
from tlsrun.tls.validity import in_date


def objection(
    old: Identity,
    new: Identity,
    source: Source,
    *,
    now: datetime.datetime,
    known_root: Callable[[x509.Certificate], bool],
    settled: bool,
) -> Problem | None:
    """Why ``new`` must not be served in place of ``old``; None when it may.

    Arguments:
        source: where the new certificate was read from.
        now: the time, with its zone.
        known_root: whether a root that this machine knows signed a certificate.
        settled: whether the files were looked at before, and are the same: nobody is writing them.
    """
    if in_date(new.certificate, now) and validity_problem(old, now, source, known_root=known_root):
        return None
    problem = validity_problem(new, now, source, known_root=known_root)
    if problem is not None:
        return problem
    # What has expired in service is left out of the new chain, and nobody lacks it.
    before = [old.certificate, *takewhile(lambda one: in_date(one, now), old.chain)]
    return _cut_chain(before, new, source, known_root, settled=settled)


def _cut_chain(
    before: Sequence[x509.Certificate],
    new: Identity,
    source: Source,
    known_root: Callable[[x509.Certificate], bool],
    *,
    settled: bool,
) -> Problem | None:
    end = (new.certificate, *new.chain)[-1]
    if known_root(end) or is_signed_by(end, end):
        return None
    # A chain that ends where the one in service ends lacks nothing that it has.
    if 1 + len(new.chain) >= len(before) or end.issuer == before[-1].issuer:
        return None
    # That an intermediate gives its issuer's address says nothing: those below a root do.
    signed_in_service = any(is_signed_by(end, one) for one in before[1:])
    needed = not new.chain and (signed_in_service or issuer_address(end) is not None)
    if settled and not needed:
        return None
    problem = missing_issuer(Given(certificate=end, source=source))
    remedy = "Write the whole chain into the file; " + (
        "if clients know that issuer as a root, restart the server"
        if needed
        else "what is in it now is served if it stays so for a minute"
    )
    return replace(problem, remedy=remedy)

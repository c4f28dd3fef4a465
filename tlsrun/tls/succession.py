"""Whether a renewed certificate may take the place of the one in service."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace

from cryptography import x509

from tlsrun.errors import Problem
from tlsrun.tls.chain import Given, missing_issuer
from tlsrun.tls.identity import Identity, validity_problem
from tlsrun.tls.sources import Source


def objection(
    old: Identity,
    new: Identity,
    source: Source,
    *,
    now: datetime.datetime,
    known_root: Callable[[x509.Certificate], bool],
) -> Problem | None:
    """Why ``new`` must not be served in place of ``old``; None when it may.

    Arguments:
        source: where the new certificate was read from.
        now: the time, with its zone.
        known_root: whether a root that this machine knows signed a certificate.
    """
    return validity_problem(new, now, source) or _cut_chain(old, new, source, known_root)


def _cut_chain(
    old: Identity, new: Identity, source: Source, known_root: Callable[[x509.Certificate], bool]
) -> Problem | None:
    """The chain lacks an issuer that the one in service has: a file that is cut between two certificates.

    At the start an unknown end of the chain is a warning, for it may be an authority of the user's own. Here there is
    something better to serve.
    """
    end, before = _end(new), _end(old)
    if len(new.chain) >= len(old.chain) or end.issuer in (before.issuer, end.subject) or known_root(end):
        return None
    problem = missing_issuer(Given(certificate=end, source=source))
    remedy = "Write the whole chain into the file; if clients know that issuer as a root, restart the server"
    return replace(problem, remedy=remedy)


def _end(identity: Identity) -> x509.Certificate:
    """The last certificate that is sent."""
    return (identity.certificate, *identity.chain)[-1]

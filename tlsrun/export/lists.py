"""Revocation lists in other programs: which authorities have none, and what happens to the certificates below them.

`tlsrun run` requires a list from the authority that signs the clients and uses all others that are there: most roots
publish none. OpenSSL itself checks either the client's certificate only, or requires a list from every authority in the
path (X509_V_FLAG_CRL_CHECK_ALL). Programs use it differently:

- nginx (ssl_crl) requires all lists and has no option for it.
- HAProxy (crl-file) requires all, and can be told to ignore that an authority's list is missing (ca-ignore-err).
- Apache (SSLCARevocationCheck) can be told to ignore missing lists, even that of the client's own authority.
"""

from __future__ import annotations

from collections.abc import Iterator

from tlsrun.certificates.names import shown_name
from tlsrun.deciding.plan import Plan
from tlsrun.errors import Problem
from tlsrun.export.text import in_a_line
from tlsrun.tls.authorities import authorities_of

#: For programs that require a list from every authority.
EVERY_LIST = "# It must hold a list of every authority up to the root: whoever is below one without is refused."


def unlisted(plan: Plan) -> tuple[str, ...]:
    """The names of trusted authorities without a list, if there are lists from others."""
    authorities = authorities_of(None if plan.client_reading is None else plan.client_reading.value)
    if authorities is None:
        return ()
    return tuple(in_a_line(shown_name(one.subject)) for one in authorities.without_list())


def wanting(plan: Plan, title: str) -> Iterator[Problem]:
    """Missing lists, for a program that requires one from every authority: it would refuse all clients.

    Arguments:
        title: the program's name in prose.
    """
    crl = None if plan.clients is None else plan.clients.crl
    if crl is None:
        return
    for name in unlisted(plan):
        yield crl.problem(
            what=f"{crl.name} has no list of {name}, and {title} refuses whoever is below an authority without one",
            remedy="Add that list (its authority can issue an empty one), or end TLS in HAProxy, Apache or `tlsrun "
            "run`, which go by the lists that are there",
            code="TLS222",
        )

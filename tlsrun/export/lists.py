"""Revocation lists in other programs: which authorities have none, and what then becomes of those below.

`tlsrun run` wants a list of the authority that signs the clients, and goes by every other one that is there: most roots
publish none. OpenSSL by itself looks up the client alone, or wants a list of every authority of a path
(X509_V_FLAG_CRL_CHECK_ALL); what a program makes of that is its own affair.

- nginx (ssl_crl) has OpenSSL look up all, and has no option besides.
- HAProxy (crl-file) has it look up all, and can be told to go on without the list of an authority (ca-ignore-err).
- Apache (SSLCARevocationCheck) goes on without any list, also that of the client's own authority, if it is told so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tlsrun.certificates.names import shown_name
from tlsrun.deciding.plan import Plan
from tlsrun.errors import Problem
from tlsrun.tls.authorities import authorities_of
from tlsrun.tls.client import load_client_auth

#: What a name may have, and a comment may not.
_NOT_IN_A_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

#: In a file whose program wants a list of every authority.
EVERY_LIST = "# It must hold a list of every authority up to the root: whoever is below one without is refused."


def unlisted(plan: Plan) -> tuple[str, ...]:
    """The trusted authorities of which there is no list, where there are lists of others."""
    if plan.clients is None or plan.clients.crl is None:
        return ()
    authorities = authorities_of(load_client_auth(plan.clients))
    if authorities is None:
        return ()
    return tuple(_NOT_IN_A_LINE.sub("?", shown_name(one.subject)) for one in authorities.without_list())


def wanting(plan: Plan, title: str) -> Iterator[Problem]:
    """What keeps all clients out of a program that wants a list of every authority.

    Arguments:
        title: the program, as people write it.
    """
    crl = None if plan.clients is None else plan.clients.crl
    if crl is None:
        return
    for name in unlisted(plan):
        yield Problem(
            where=crl.given_by,
            what=f"{crl.name} has no list of {name}, and {title} refuses whoever is below an authority without one",
            remedy="Add that list (its authority can issue an empty one), or end TLS in HAProxy, Apache or `tlsrun "
            "run`, which go by the lists that are there",
            code="TLS222",
        )

"""Client certificates for contexts made elsewhere (an exported gunicorn.conf.py), verified as in our own."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Collection
from pathlib import Path

from tlsrun.certificates.sources import Source
from tlsrun.tls.authorities import authorities_of
from tlsrun.tls.client import ClientSources, load_client_auth
from tlsrun.tls.context import apply_client_auth
from tlsrun.tls.handshake_messages import AuthorityCheck, observe_messages


def ask_clients(make: Callable[[], ssl.SSLContext], *, ca: str, crl: str, mode: str) -> ssl.SSLContext:
    """A context that requests client certificates and checks them against revocation lists.

    The authority that signed a client must have a list; authorities are checked against all lists that are there. The
    ssl module by itself checks the client only, or requires a list from every authority.

    Arguments:
        make: makes the context; called several times, since authorities are rejected in separate contexts.
        ca: the path of the trusted authorities, PEM.
        crl: the path of the lists, PEM.
        mode: ``optional`` or ``required``.

    Raises:
        CertificateError: one of the files cannot be used.
    """
    sources = ClientSources(
        ca=Source(given_by="client_ca", path=Path(ca)), mode=mode, crl=Source(given_by="client_crl", path=Path(crl))
    )
    client_auth = load_client_auth(sources)

    def rejecting(rejected: Collection[bytes] = ()) -> ssl.SSLContext:
        context = make()
        apply_client_auth(context, client_auth, rejected)
        return context

    context, authorities = rejecting(), authorities_of(client_auth)
    if authorities is not None:
        nobody, afterwards = rejecting(authorities.trusted), rejecting()
        check = AuthorityCheck(authorities, rejecting=rejecting, nobody=nobody, afterwards=afterwards)
        observe_messages(context, check)
    return context

"""Client certificates for a context that somebody else makes, judged as by our own: an exported gunicorn.conf.py."""

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
    """A context that asks clients for certificates, and goes by revocation lists.

    The authority that signed a client needs a list; every other one that is there counts for the authorities of the
    path, which the ssl module by itself cannot do: it looks up the client alone, or wants a list of each authority.

    Arguments:
        make: makes the context; called several times, since authorities are rejected in contexts of their own.
        ca: the file of the trusted authorities, PEM.
        crl: the file of the lists, PEM.
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

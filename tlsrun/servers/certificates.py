"""From a plan to the live certificates of its endpoint, the same for every server that uses Python's ssl."""

from __future__ import annotations

from tlsrun.plan import Plan
from tlsrun.tls.client import client_origin
from tlsrun.tls.quic_keys import unfit_for_quic
from tlsrun.tls.reload import Certificates, identity_origin
from tlsrun.tls.store import RENEWED_BEFORE


def certificates_of(plan: Plan) -> Certificates:
    """The certificates of ``plan``, read anew: the default, those that SNI chooses, and the clients' authorities.

    Made before a server forks, so that every worker shares the context and its session tickets.

    Raises:
        CertificateError: one of them cannot be served.
    """
    origins = {sources: identity_origin(sources) for several in plan.sni.values() for sources in several}
    certificates = Certificates(
        # A development certificate is made anew in its last month, by whichever server starts then.
        [identity_origin(plan.sources, renewed=RENEWED_BEFORE if plan.development_ca else None)],
        plan.policy,
        table={host: [origins[sources] for sources in several] for host, several in plan.sni.items()},
        client=client_origin(plan.clients) if plan.clients else None,
        handshake_timeout=plan.handshake_timeout,
        strict=plan.sni_strict,
        hook=plan.context_hook,
        unfit=unfit_for_quic if plan.by_udp else None,
    )
    if plan.proxy_protocol:
        certificates.context.introducers = plan.front.peers
    return certificates

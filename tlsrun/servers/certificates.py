"""From a plan to the live certificates of its endpoint, the same for every server that uses Python's ssl."""

from __future__ import annotations

from functools import partial

from tlsrun.certificates.identity import Identity
from tlsrun.deciding.plan import Plan
from tlsrun.development.store import RENEWED_BEFORE
from tlsrun.errors import Problem
from tlsrun.renewal.reload import Certificates, identity_origin
from tlsrun.tls.ciphers import nothing_in_common
from tlsrun.tls.client import client_origin
from tlsrun.tls.quic_keys import unfit_for_quic


def certificates_of(plan: Plan) -> Certificates:
    """The certificates of ``plan``: the default, those that SNI chooses, and the clients' authorities.

    What was read and proved when the plan was decided, in this process, is taken over; where the files have changed
    since, the first look at them says so. Made before a server forks, so that every worker shares the context and its
    session tickets. (uWSGI's edge is decided anew in its mule: what uWSGI executes begins without our memory.)

    Raises:
        CertificateError: one of them cannot be served.
    """
    # A development certificate is made anew in its last month, by whichever server starts then.
    renewed = RENEWED_BEFORE if plan.development_ca else None
    served = dict.fromkeys(sources for several in plan.sni.values() for sources in several)
    origins = {sources: identity_origin(sources, first=plan.readings.get(sources)) for sources in served}
    certificates = Certificates(
        [identity_origin(plan.sources, renewed=renewed, first=plan.readings.get(plan.sources))],
        plan.policy,
        table={host: [origins[sources] for sources in several] for host, several in plan.sni.items()},
        client=client_origin(plan.clients, plan.client_reading) if plan.clients else None,
        handshake_timeout=plan.handshake_timeout,
        strict=plan.sni_strict,
        hook=plan.context_hook,
        unfit=partial(_unfit, plan),
    )
    if plan.proxy_protocol:
        certificates.context.proxy_protocol_peers = plan.front.peers
    return certificates


def _unfit(plan: Plan, identity: Identity) -> Problem | None:
    """What the start would report about a kind of key (see `tlsrun.deciding.objections`), for a renewal."""
    kind = identity.key_type
    if plan.by_udp and (why := unfit_for_quic(kind)) is not None:
        remedy = "Have a certificate issued for an ECDSA P-256 key, or leave HTTP/3 out (TLS_HTTP, --http)"
        return Problem(where="new certificate", what=why, remedy=remedy, code="TLS219")
    if plan.policy.max_version == "1.2" and (words := nothing_in_common(identity.names, kind, plan.policy)) is not None:
        return Problem(where="new certificate", what=words[0], remedy=words[1], code="TLS208")
    return None

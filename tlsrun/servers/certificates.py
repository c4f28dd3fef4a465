"""Builds the reloadable certificates of an endpoint from a plan, for every server that uses Python's ssl module."""

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
    """Return the certificates of ``plan``: the default one, those selected by SNI, and the CAs for client certificates.

    What this process read and validated while deciding the plan is reused; if the files have changed since, the first
    check by the watcher notices. Call this before the server forks, so that all workers share the context and its
    session ticket keys. (uWSGI's edge makes its plan again in a mule: uWSGI replaces this process by exec(2).)

    Raises:
        CertificateError: one of the certificates cannot be served.
    """
    # A server that starts in the last month of a development certificate issues a new one.
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
    """Make the checks of the start (`tlsrun.deciding.objections`) on the key type of a renewed certificate."""
    kind = identity.key_type
    if plan.by_udp and (why := unfit_for_quic(kind)) is not None:
        remedy = "Have a certificate issued for an ECDSA P-256 key, or leave HTTP/3 out (TLS_HTTP, --http)"
        return Problem(where="new certificate", what=why, remedy=remedy, code="TLS219")
    if plan.policy.max_version == "1.2" and (words := nothing_in_common(identity.names, kind, plan.policy)) is not None:
        return Problem(where="new certificate", what=words[0], remedy=words[1], code="TLS208")
    return None

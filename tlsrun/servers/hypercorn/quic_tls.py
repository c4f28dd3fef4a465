"""The TLS of QUIC connections, which aioquic implements without an SSLContext.

TLS 1.3, one certificate, no client certificates, and no session tickets, as early data could be replayed (RFC 8446,
section 8).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from aioquic.h3.connection import H3_ALPN
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.tls import load_pem_private_key, pull_client_hello

from tlsrun.certificates.identity import Identity
from tlsrun.servers.hypercorn.datagram_forwarder import LENGTH
from tlsrun.wsgi.facts import ConnectionFacts

_KEY_SIZES = {"AES_128_GCM_SHA256": "128"}


def configuration_of(identity: Identity, *, idle_timeout: float) -> QuicConfiguration:
    """Return aioquic's configuration for a server with this certificate.

    Arguments:
        idle_timeout: seconds after which a silent connection is dropped.
    """
    configuration = QuicConfiguration(
        is_client=False, alpn_protocols=H3_ALPN, idle_timeout=idle_timeout, connection_id_length=LENGTH
    )
    renew(configuration, identity)
    return configuration


def renew(configuration: QuicConfiguration, identity: Identity) -> None:
    """Use ``identity`` for new connections. Call this in the event loop."""
    configuration.certificate = identity.certificate
    configuration.certificate_chain = list(identity.chain)
    configuration.private_key = load_pem_private_key(identity.key)


def listen_for_name(quic: QuicConnection, named: Callable[[str | None], None]) -> None:
    """Call ``named`` with the server name that the client sends (SNI), which aioquic (1.7) parses but does not keep."""
    initialize = quic._initialize

    def with_name(peer_cid: bytes) -> None:
        initialize(peer_cid)
        quic.tls._server_handle_hello = partial(_hear, quic.tls._server_handle_hello, named)  # type: ignore[method-assign]

    quic._initialize = with_name  # type: ignore[method-assign]


def _hear(answer: Callable[..., None], named: Callable[[str | None], None], hello: Any, *more: Any) -> None:
    begin = hello.tell()
    named(pull_client_hello(hello).server_name)
    hello.seek(begin)
    answer(hello, *more)


def facts_of(quic: QuicConnection, name: str | None) -> ConnectionFacts:
    """Return the facts about a connection's TLS: always TLS 1.3 (RFC 9001), the cipher suite from the key schedule."""
    facts = ConnectionFacts(HTTPS="on", SSL_PROTOCOL="TLSv1.3", SSL_SESSION_RESUMED="Initial", SSL_CLIENT_VERIFY="NONE")
    if name:
        facts["SSL_TLS_SNI"] = name
    schedule = quic.tls.key_schedule
    if schedule is not None:
        suite = schedule.cipher_suite.name
        size = _KEY_SIZES.get(suite, "256")
        facts |= {"SSL_CIPHER": f"TLS_{suite}", "SSL_CIPHER_USEKEYSIZE": size, "SSL_CIPHER_ALGKEYSIZE": size}
    return facts

"""Values derived from the settings alone."""

from __future__ import annotations

from tlsrun.endpoint import Endpoint
from tlsrun.listening.address import hosts_of, parse_bind
from tlsrun.settings.table import Settings
from tlsrun.tls.policy import HTTP_VERSIONS, INTERMEDIATE_CIPHERS, Policy


def hosts_of_settings(settings: Settings) -> tuple[str, ...]:
    """The hosts to listen on, as far as the settings name them."""
    if not settings.bind:
        return (settings.host,)
    named = [parse_bind(word) for word in settings.bind]
    return hosts_of([place for place in named if isinstance(place, Endpoint)])


def verifies_clients(settings: Settings) -> bool:
    """Whether clients are asked for a certificate."""
    return settings.client_ca is not None and settings.client_auth != "none"


def policy_of(settings: Settings, http: tuple[str, ...] = ("1.1",)) -> Policy:
    """The TLS policy: the profile, and the settings that override it.

    Arguments:
        http: the HTTP versions; HTTP/3 does not run over TCP and has no part in this policy.
    """
    modern = settings.profile == "modern"
    return Policy(
        min_version="1.3" if modern else settings.min_version,
        max_version=settings.max_version,
        ciphers=settings.ciphers or ":".join(INTERMEDIATE_CIPHERS),
        groups=settings.groups,
        alpn=tuple(HTTP_VERSIONS[version] for version in http if version != "3"),
    )

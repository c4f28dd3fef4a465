"""What stands against a start where a platform's edge ends TLS, which serves plain HTTP on purpose; purely."""

from __future__ import annotations

from collections.abc import Iterator

from tlsrun.deciding.choosing import ServerFacts
from tlsrun.deciding.facts import Facts
from tlsrun.deciding.places import bind_problems
from tlsrun.deciding.platform import Platform
from tlsrun.errors import Problem
from tlsrun.settings.layers import Resolution
from tlsrun.settings.words import AUTO

#: What is of no use, and does no harm, where somebody else ends TLS.
_USELESS = (
    "chain", "http", "profile", "min_version", "max_version", "ciphers", "groups", "context_hook", "reload", "sni",
    "sni_strict", "client_facts", "redirect_port", "acme_webroot", "user", "group", "handshake_timeout",
)  # fmt: skip
#: What somebody relies on, and would not get: setting -> what to do.
_MISSED = {
    "key": "Set TLS_CERT (--cert) too, to end TLS here; or leave it out",
    "client_ca": "Set TLS_CERT and TLS_KEY to end TLS here; or leave it out, and have the edge ask for certificates",
    "bind": "Leave it out: the platform says by PORT where to listen",
    "proxy_protocol": "Leave it out: the edge names the client by X-Forwarded-For",
}


def plain_server(facts: Facts) -> ServerFacts:
    """The only server that does it here: it is made for it, and what our own TLS adds to the others is not needed."""
    return next(server for server in facts.servers.values() if server.serves_plain)


def objections_behind(resolution: Resolution, facts: Facts, platform: Platform) -> Iterator[Problem]:
    """Why a start behind the edge is not possible; see `tlsrun.deciding.objections`."""
    settings, server = resolution.settings, plain_server(facts)
    yield from resolution.problems
    yield from facts.failures.get("trusted_proxies", ())
    if settings.server not in (server.name, AUTO):
        yield Problem(
            where=resolution.spelling("server"),
            what=f"behind {platform.title}'s edge, and without a certificate, plain HTTP is served, and here "
            f"{server.title} alone does that, not {settings.server}",
            remedy=f"Leave it out, or set TLS_SERVER (--server) to {server.name}; or set TLS_CERT and TLS_KEY",
            code="TLS203",
        )
    elif server.missing is not None:
        yield server.missing
    for name, remedy in _MISSED.items():
        if resolution.is_given(name) and getattr(settings, name):
            what = f"needs TLS to end here, and behind {platform.title}'s edge no certificate is set"
            yield Problem(where=resolution.spelling(name), what=what, remedy=remedy, code="TLS205")
    if not settings.bind:
        yield from bind_problems(resolution, facts)


def oddities_behind(resolution: Resolution, platform: Platform) -> Iterator[Problem]:
    """What is odd about one, but serves."""
    useless = [resolution.spelling(name) for name in _USELESS if resolution.is_given(name)]
    if useless:
        yield Problem(
            where=", ".join(useless),
            what=f"changes nothing here: {platform.title}'s edge ends TLS",
            remedy="Set it there, if it can be set",
        )

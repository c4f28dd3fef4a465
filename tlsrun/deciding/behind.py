"""Problems of a start where a platform's edge terminates TLS, and plain HTTP is served on purpose. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from tlsrun.deciding.choosing import ServerFacts
from tlsrun.deciding.facts import Facts
from tlsrun.deciding.places import bind_problems
from tlsrun.deciding.platform import Platform
from tlsrun.errors import Problem
from tlsrun.settings.layers import Resolution
from tlsrun.settings.words import AUTO

#: Settings without effect where the platform terminates TLS: a warning.
_USELESS = (
    "chain", "http", "profile", "min_version", "max_version", "ciphers", "groups", "context_hook", "reload", "sni",
    "sni_strict", "client_facts", "redirect_port", "acme_webroot", "user", "group", "handshake_timeout",
)  # fmt: skip
#: Settings that somebody relies on, and that would be ignored: setting -> remedy.
_MISSED = {
    "key": "Set TLS_CERT (--cert) too, to end TLS here; or leave it out",
    "client_ca": "Set TLS_CERT and TLS_KEY to end TLS here; or leave it out, and have the edge ask for certificates",
    "bind": "Leave it out: the platform says by PORT where to listen",
    "proxy_protocol": "Leave it out: the edge names the client by X-Forwarded-For",
}


def plain_server(facts: Facts) -> ServerFacts:
    """The only server that serves plain HTTP here; what our TLS adds to the others is not needed."""
    return next(server for server in facts.servers.values() if server.serves_plain)


def objections_behind(resolution: Resolution, facts: Facts, platform: Platform) -> Iterator[Problem]:
    """The problems that prevent a start behind the edge; see `tlsrun.deciding.objections`."""
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
    """A warning about settings that have no effect behind the edge."""
    useless = [resolution.spelling(name) for name in _USELESS if resolution.is_given(name)]
    if useless:
        yield Problem(
            where=", ".join(useless),
            what=f"changes nothing here: {platform.title}'s edge ends TLS",
            remedy="Set it there, if it can be set",
        )

"""DECIDES, purely, what is served where a platform's edge ends TLS: plain HTTP, on purpose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tlsrun.account import Account
from tlsrun.deciding.choosing import ServerFacts
from tlsrun.deciding.facts import Facts
from tlsrun.deciding.places import bind_problems
from tlsrun.deciding.plan import Development, development_problems
from tlsrun.deciding.platform import Platform
from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError, Problem
from tlsrun.listening.address import Listener
from tlsrun.settings.layers import Resolution
from tlsrun.settings.proxies import headers_of, may_be_nginx
from tlsrun.settings.words import AUTO
from tlsrun.wsgi.front import Front

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


@dataclass(frozen=True, kw_only=True)
class PlainPlan:
    """Everything that a start behind a platform's edge needs; see `tlsrun.deciding.plan.Plan`.

    Arguments:
        platform: which.
        server: the name of the server.
        framework: ``flask``, ``bottle`` or ``wsgi``.
        endpoint: where to listen for plain HTTP.
        front: the edge, and what is believed of it.
        workers: processes.
        threads: threads for each process; None for the server's default.
        server_options: handed to the server untouched.
        quiet: print no banner and no access log.
        warnings: what is odd but serves.
    """

    platform: Platform
    server: str
    framework: str
    endpoint: Endpoint
    front: Front
    workers: int = 1
    threads: int | None = None
    server_options: Mapping[str, Any] = field(default_factory=dict)
    quiet: bool = False
    warnings: tuple[Problem, ...] = ()

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """All places where connections are accepted: the one that the platform names."""
        return (Listener(place=self.endpoint),)

    @property
    def account(self) -> Account | None:
        """A platform starts a program as who it shall be."""
        return None


def decide_plain(
    resolution: Resolution,
    facts: Facts,
    platform: Platform,
    *,
    framework: str,
    development: Development | None = None,
    quiet: bool = False,
    warnings: tuple[Problem, ...] = (),
) -> PlainPlan:
    """Settings and facts in, a plan out; arguments as `tlsrun.deciding.plan.decide`.

    Raises:
        ConfigurationError: with all problems at once.
    """
    settings = resolution.settings
    endpoint = Endpoint(host=settings.host, port=settings.port)
    problems = [
        *_problems(resolution, facts, platform),
        *(() if settings.bind else bind_problems(resolution, facts)),
        *development_problems(plain_server(facts), development or Development()),
    ]
    if problems:
        raise ConfigurationError(problems)
    return PlainPlan(
        platform=platform,
        server=plain_server(facts).name,
        framework=framework,
        endpoint=endpoint,
        front=Front(
            peers=facts.peers,
            headers=headers_of(settings.proxy),
            exempt=settings.redirect_exempt,
            hosts=settings.hosts,
            hsts=settings.hsts,
            holds_back=bool(facts.peers) and may_be_nginx(settings.proxy),
        ),
        workers=settings.workers,
        threads=settings.threads,
        server_options=settings.server_options,
        quiet=quiet,
        warnings=(*warnings, *resolution.warnings, *_oddities(resolution, platform)),
    )


def plain_server(facts: Facts) -> ServerFacts:
    """The only server that does it here: it is made for it, and what our own TLS adds to the others is not needed."""
    return next(server for server in facts.servers.values() if server.serves_plain)


def _problems(resolution: Resolution, facts: Facts, platform: Platform) -> Iterator[Problem]:
    settings, server = resolution.settings, plain_server(facts)
    yield from resolution.problems
    yield from facts.peers_problems
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


def _oddities(resolution: Resolution, platform: Platform) -> Iterator[Problem]:
    useless = [resolution.spelling(name) for name in _USELESS if resolution.is_given(name)]
    if useless:
        yield Problem(
            where=", ".join(useless),
            what=f"changes nothing here: {platform.title}'s edge ends TLS",
            remedy="Set it there, if it can be set",
        )

"""The decision: settings and facts in, a plan out, or all problems at once. Pure."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tlsrun.account import Account
from tlsrun.certificates.identity import Identity, IdentitySources
from tlsrun.deciding.behind import objections_behind, oddities_behind, plain_server
from tlsrun.deciding.choosing import ServerFacts, spoken
from tlsrun.deciding.facts import Facts
from tlsrun.deciding.objections import objections, oddities
from tlsrun.deciding.places import endpoint_of
from tlsrun.deciding.platform import Platform
from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError, Problem
from tlsrun.listening.address import Listener, hosts_of, public_first, redirecting
from tlsrun.listening.opening import Listening
from tlsrun.settings.derived import policy_of
from tlsrun.settings.layers import Resolution
from tlsrun.settings.proxies import headers_of, may_be_nginx
from tlsrun.settings.table import Settings
from tlsrun.tls.client import ClientSources
from tlsrun.tls.context import ClientAuth
from tlsrun.tls.origin import Reading
from tlsrun.tls.policy import Policy
from tlsrun.wsgi.front import Front


@dataclass(frozen=True, kw_only=True)
class Development:
    """Options for development, of the built-in server only.

    Arguments:
        reload: restart when a source file changes; None if not given.
        debugger: Werkzeug's debugger in the browser; None if not given.
        debug: debug mode, which turns both on where they are not given.
        extra_files: more files to watch.
        exclude_patterns: fnmatch patterns of files not to watch.
    """

    reload: bool | None = None
    debugger: bool | None = None
    debug: bool = False
    extra_files: tuple[str, ...] = ()
    exclude_patterns: tuple[str, ...] = ()

    @property
    def reloads(self) -> bool:
        """Whether the reloader runs."""
        return self.debug if self.reload is None else self.reload

    @property
    def debugs(self) -> bool:
        """Whether the debugger runs."""
        return self.debug if self.debugger is None else self.debugger


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that a server, an exporter or the banner needs; they are passed nothing else.

    Arguments:
        server: the name of the server (``builtin``, ``gunicorn``, …).
        chosen_because: why ``auto`` picked it; None if the settings name it.
        framework: ``flask``, ``bottle`` or ``wsgi``.
        endpoint: where to listen; of several places, a TCP endpoint that others can reach.
        listening: all places to listen at; empty for `endpoint` alone.
        workers: number of processes.
        threads: threads in each process; None for as many as are useful (builtin).
        account: the account to switch to once everything that needs root is open; None to stay.
        front: the proxies in front, and which of their headers are trusted.
        hosts: the host names for which plain HTTP is redirected; empty for the names in the certificates.
        hsts: max-age of Strict-Transport-Security, in seconds; 0 for no header.
        server_options: passed to the server as they are.
        development: reloader and debugger.
        quiet: print no banner and no access log.
        warnings: what is odd but does not prevent serving.
        platform: whose edge terminates TLS in front of this program, which serves plain HTTP: none of what follows is
            then set, or used. None where tlsrun terminates TLS.
        default: the sources of the certificate for clients that name no other host.
        sni: host name or wildcard -> the sources of its certificates.
        readings: what was read from those sources, and checked, when the plan was made.
        sni_strict: whether clients that name any other host are refused.
        clients: the CAs by which client certificates are verified; None if none are asked for.
        client_reading: what was read from those.
        policy: TLS versions, cipher suites, and the ALPN names offered over TCP.
        profile: the name of the profile that the policy is made from.
        http: the HTTP versions to serve, newest first.
        handshake_timeout: seconds a client has for the whole handshake.
        reload: whether renewed certificates are loaded without a restart.
        context_hook: adapts each SSLContext; called with a function that makes the default one.
        redirect_port: the port on which plain HTTP is redirected; None for none.
        acme_webroot: the folder of ACME challenges, served on the redirect port.
        proxy_protocol: whether the trusted proxies send a PROXY header before the TLS handshake.
        development_ca: the local CA's root certificate, if the identity is a development certificate.
    """

    server: str
    framework: str
    endpoint: Endpoint
    chosen_because: str | None = None
    listening: tuple[Listener, ...] = ()
    workers: int = 1
    threads: int | None = None
    account: Account | None = None
    front: Front = Front()
    hosts: tuple[str, ...] = ()
    hsts: int = 0
    server_options: Mapping[str, Any] = field(default_factory=dict)
    development: Development = field(default_factory=Development)
    quiet: bool = False
    warnings: tuple[Problem, ...] = ()
    platform: Platform | None = None
    default: IdentitySources | None = None
    sni: Mapping[str, tuple[IdentitySources, ...]] = field(default_factory=dict)
    readings: Mapping[IdentitySources, Reading[Identity]] = field(default_factory=dict)
    sni_strict: bool = False
    clients: ClientSources | None = None
    client_reading: Reading[ClientAuth] | None = None
    policy: Policy = Policy()
    profile: str = "intermediate"
    http: tuple[str, ...] = ("1.1",)
    handshake_timeout: float = 10.0
    reload: bool = True
    context_hook: Callable[[Callable[[], ssl.SSLContext]], ssl.SSLContext] | None = None
    redirect_port: int | None = None
    acme_webroot: Path | None = None
    proxy_protocol: bool = False
    development_ca: Path | None = None

    @property
    def sources(self) -> IdentitySources:
        """Where the default certificate is read from.

        Raises:
            LookupError: there is none, as a platform's edge terminates TLS.
        """
        if self.default is None:
            raise LookupError(f"{self.server} serves no certificate")
        return self.default

    @property
    def identity(self) -> Identity:
        """Certificate, chain and key, as they were read and checked when the plan was made."""
        return self.readings[self.sources].value

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """All places where connections are accepted."""
        return self.listening or (Listener(place=self.endpoint),)

    @property
    def by_udp(self) -> bool:
        """Whether the same port is served over UDP too: HTTP/3 (RFC 9114)."""
        return "3" in self.http

    @property
    def redirect_listeners(self) -> tuple[Listener, ...]:
        """Where plain HTTP is redirected: the redirect port, on each host where the server listens."""
        hosts = hosts_of([listener.place for listener in self.listeners]) or (self.endpoint.host,)
        return redirecting(self.redirect_port, hosts)

    def settled(self, listening: Listening) -> Plan:
        """The plan with the places that are open now: for port 0, with the port that the system chose."""
        endpoint = public_first(listener.place for listener in listening.listeners) or self.endpoint
        return replace(self, endpoint=endpoint, listening=listening.listeners)


#: Settings that are copied into every plan; and those that are where tlsrun terminates TLS.
_AS_SET = ("workers", "threads", "hosts", "hsts", "server_options")
_AS_SET_FOR_TLS = ("profile", "handshake_timeout", "reload", "sni_strict", "redirect_port", "proxy_protocol")


def decide(
    resolution: Resolution,
    facts: Facts,
    *,
    framework: str,
    platform: Platform | None = None,
    development: Development | None = None,
    quiet: bool = False,
    warnings: tuple[Problem, ...] = (),
) -> Plan:
    """Make the plan from settings and facts.

    Arguments:
        framework: ``flask``, ``bottle`` or ``wsgi``.
        platform: whose edge terminates TLS; None where tlsrun does.
        warnings: earlier warnings, about the application.

    Raises:
        ConfigurationError: with all problems, of every kind, at once.
    """
    settings, development = resolution.settings, development or Development()
    if platform is None:
        server, endpoint = facts.server, endpoint_of(settings, facts)
        against, odd = objections(resolution, facts, endpoint), oddities(resolution, facts, endpoint)
    else:
        server, endpoint = plain_server(facts), Endpoint(host=settings.host, port=settings.port)
        against, odd = objections_behind(resolution, facts, platform), oddities_behind(resolution, platform)
    if problems := [*against, *_development_problems(server, development)]:
        raise ConfigurationError(problems)
    plan = Plan(
        server=server.name,
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
        development=development,
        quiet=quiet,
        platform=platform,
        **{name: getattr(settings, name) for name in _AS_SET},
    )
    plan = plan if platform is not None else _with_tls(plan, settings, facts)
    return replace(plan, warnings=(*warnings, *resolution.warnings, *plan.warnings, *odd))


def _with_tls(plan: Plan, settings: Settings, facts: Facts) -> Plan:
    loaded, named, clients = facts.loaded, facts.named, facts.clients
    if loaded.sources is None or loaded.reading is None:
        # No problem to report: `tlsrun check` issues no development certificate, and there is none yet.
        raise ConfigurationError([])
    http = _spoken(settings, facts)
    return replace(
        plan,
        chosen_because=facts.chosen_because,
        listening=facts.listeners,
        account=facts.account,
        default=loaded.sources,
        sni=named.sources,
        readings={**named.readings, loaded.sources: loaded.reading},
        clients=clients.sources,
        client_reading=clients.reading,
        policy=policy_of(settings, http),
        http=http,
        context_hook=functools.partial(facts.hook, settings) if facts.hook else None,
        acme_webroot=Path(settings.acme_webroot) if settings.acme_webroot else None,
        development_ca=loaded.development_ca,
        warnings=(*loaded.warnings, *named.warnings, *clients.warnings),
        **{name: getattr(settings, name) for name in _AS_SET_FOR_TLS},
    )


def _spoken(settings: Settings, facts: Facts) -> tuple[str, ...]:
    """The HTTP versions to serve; on sockets that were passed to it, HTTP/3 only if it was asked for.

    HTTP/3 needs a UDP socket of its own, which this process may not be allowed to bind.
    """
    http = spoken(settings, facts.server)
    if settings.http or all(listener.descriptor is None for listener in facts.listeners):
        return http
    return tuple(version for version in http if version != "3")


def _development_problems(server: ServerFacts, development: Development) -> Iterator[Problem]:
    """Development options that the server does not have."""
    asked = {"The reloader": development.reload, "The debugger": development.debugger}
    for tool, wanted in asked.items():
        if wanted and not server.for_development:
            yield Problem(where=tool, what=f"it works with the built-in server only, not with {server.name}",
                          remedy="Leave it out, or use the server builtin while you develop")  # fmt: skip

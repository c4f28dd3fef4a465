"""DECIDES, purely: settings and facts in, a plan out, with all problems collected."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tlsrun.account import Account
from tlsrun.certificates.identity import Identity, IdentitySources
from tlsrun.deciding.choosing import ServerFacts, spoken
from tlsrun.deciding.facts import Facts
from tlsrun.deciding.objections import objections, oddities
from tlsrun.deciding.places import endpoint_of
from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError, Problem
from tlsrun.listening.address import Listener, hosts_of, public_first
from tlsrun.listening.opening import Listening
from tlsrun.settings.derived import policy_of
from tlsrun.settings.layers import Resolution
from tlsrun.settings.proxies import headers_of, may_be_nginx
from tlsrun.settings.table import Settings
from tlsrun.tls.client import ClientSources
from tlsrun.tls.policy import Policy
from tlsrun.wsgi.front import Front


@dataclass(frozen=True, kw_only=True)
class Development:
    """What only the built-in server does, for a person at a keyboard.

    Arguments:
        reload: restart when a source file changes; None when nobody asked.
        debugger: Werkzeug's debugger in the browser; None when nobody asked.
        debug: debug mode, which turns both on where nobody said otherwise (built-in server only).
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
    """Everything that a server, an exporter or the banner needs; nothing else travels.

    Arguments:
        server: the name of the server (``builtin``, ``gunicorn``, …).
        chosen_because: why ``auto`` took it; None when somebody named it.
        framework: ``flask``, ``bottle`` or ``wsgi``.
        endpoint: where to listen; of several places, the TCP endpoint that others can reach.
        identity: certificate, chain and key, loaded and checked.
        sources: where the identity was read from, to read it again.
        policy: TLS versions, cipher suites, and the ALPN names of what is spoken over TCP.
        profile: the name of what the policy came from.
        http: the versions of HTTP to speak, the newest first.
        workers: processes.
        threads: threads for each process; None for as many as are of use (builtin).
        handshake_timeout: seconds a client has for the whole handshake.
        reload: whether certificates are renewed while they serve.
        sni: host name or wildcard -> the sources of its certificates.
        sni_strict: whether other names are refused.
        clients: whose certificates clients show; None when they show none.
        context_hook: adapts each SSLContext; called with a function that makes the default one.
        listening: all places, where that is not `endpoint` alone.
        redirect_port: where plain HTTP is redirected; None for nowhere.
        hosts: the names that it is redirected for; empty for the names in the certificates.
        acme_webroot: the folder of ACME challenges on the redirect port.
        hsts: seconds of Strict-Transport-Security; 0 for none.
        front: the proxies in front, and what is believed of them.
        proxy_protocol: whether those say who the client is before TLS begins.
        account: who the server runs as, once it holds what root gave it; None for who started it.
        server_options: handed to the server untouched.
        development: reloader and debugger.
        development_ca: the local CA's root certificate, when the identity is a development certificate.
        quiet: print no banner and no access log.
        warnings: what is odd but serves.
    """

    server: str
    framework: str
    endpoint: Endpoint
    identity: Identity
    sources: IdentitySources
    policy: Policy
    profile: str = "intermediate"
    chosen_because: str | None = None
    http: tuple[str, ...] = ("1.1",)
    workers: int = 1
    threads: int | None = None
    handshake_timeout: float = 10.0
    reload: bool = True
    sni: Mapping[str, tuple[IdentitySources, ...]] = field(default_factory=dict)
    sni_strict: bool = False
    clients: ClientSources | None = None
    context_hook: Callable[[Callable[[], ssl.SSLContext]], ssl.SSLContext] | None = None
    listening: tuple[Listener, ...] = ()
    redirect_port: int | None = None
    hosts: tuple[str, ...] = ()
    acme_webroot: Path | None = None
    hsts: int = 0
    front: Front = Front()
    proxy_protocol: bool = False
    account: Account | None = None
    server_options: Mapping[str, Any] = field(default_factory=dict)
    development: Development = field(default_factory=Development)
    development_ca: Path | None = None
    quiet: bool = False
    warnings: tuple[Problem, ...] = ()

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """All places where connections are accepted."""
        return self.listening or (Listener(place=self.endpoint),)

    @property
    def by_udp(self) -> bool:
        """Whether clients come by UDP too, to the same port: HTTP/3 (RFC 9114)."""
        return "3" in self.http

    @property
    def redirect_listeners(self) -> tuple[Listener, ...]:
        """Where plain HTTP is redirected: on that port of each host that is listened at."""
        if self.redirect_port is None:
            return ()
        hosts = hosts_of([listener.place for listener in self.listeners]) or (self.endpoint.host,)
        return tuple(Listener(place=Endpoint(host=host, port=self.redirect_port)) for host in hosts)

    def settled(self, listening: Listening) -> Plan:
        """The same, at the places that are open now: the system chose the port where none was named."""
        endpoint = public_first(listener.place for listener in listening.listeners) or self.endpoint
        return replace(self, endpoint=endpoint, listening=listening.listeners)


def decide(
    resolution: Resolution,
    facts: Facts,
    *,
    framework: str,
    development: Development | None = None,
    quiet: bool = False,
    warnings: tuple[Problem, ...] = (),
) -> Plan:
    """Settings and facts in, a plan out.

    Arguments:
        framework: ``flask``, ``bottle`` or ``wsgi``.
        warnings: what was found odd before (about the application).

    Raises:
        ConfigurationError: with all problems, of every kind, at once.
    """
    settings, loaded = resolution.settings, facts.loaded
    development = development or Development()
    endpoint = endpoint_of(settings, facts)
    http = _spoken(settings, facts)
    problems = [*objections(resolution, facts, endpoint), *development_problems(facts.server, development)]
    if problems or loaded.identity is None or loaded.sources is None:
        raise ConfigurationError(problems)
    return Plan(
        server=facts.server.name,
        chosen_because=facts.chosen_because,
        framework=framework,
        endpoint=endpoint,
        identity=loaded.identity,
        sources=loaded.sources,
        policy=policy_of(settings, http),
        profile=settings.profile,
        http=http,
        workers=settings.workers,
        threads=settings.threads,
        handshake_timeout=settings.handshake_timeout,
        reload=settings.reload,
        sni=facts.named.sources,
        sni_strict=settings.sni_strict,
        clients=facts.clients.sources,
        context_hook=functools.partial(facts.hook, settings) if facts.hook else None,
        listening=facts.listeners,
        redirect_port=settings.redirect_port,
        hosts=settings.hosts,
        acme_webroot=Path(settings.acme_webroot) if settings.acme_webroot else None,
        hsts=settings.hsts,
        front=Front(
            peers=facts.peers,
            headers=headers_of(settings.proxy),
            exempt=settings.redirect_exempt,
            hosts=settings.hosts,
            hsts=settings.hsts,
            holds_back=bool(facts.peers) and may_be_nginx(settings.proxy),
        ),
        proxy_protocol=settings.proxy_protocol,
        account=facts.account,
        server_options=settings.server_options,
        development=development,
        development_ca=loaded.development_ca,
        quiet=quiet,
        warnings=(
            *warnings,
            *resolution.warnings,
            *loaded.warnings,
            *facts.named.warnings,
            *facts.clients.warnings,
            *oddities(resolution, facts, endpoint),
        ),
    )


def _spoken(settings: Settings, facts: Facts) -> tuple[str, ...]:
    """HTTP/3 is spoken on a socket of its own, which who handed over the one for TCP may not let this process bind."""
    http = spoken(settings, facts.server)
    if settings.http or all(listener.descriptor is None for listener in facts.listeners):
        return http
    return tuple(version for version in http if version != "3")


def development_problems(server: ServerFacts, development: Development) -> Iterator[Problem]:
    """What of ``development`` the server cannot do."""
    asked = {"The reloader": development.reload, "The debugger": development.debugger}
    for tool, wanted in asked.items():
        if wanted and not server.for_development:
            yield Problem(where=tool, what=f"it works with the built-in server only, not with {server.name}",
                          remedy="Leave it out, or use the server builtin while you develop")  # fmt: skip

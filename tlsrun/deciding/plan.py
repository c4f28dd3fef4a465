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
        listening: all places, where that is not `endpoint` alone.
        workers: processes.
        threads: threads for each process; None for as many as are of use (builtin).
        account: who the server runs as, once it holds what root gave it; None for who started it.
        front: the proxies in front, and what is believed of them.
        hosts: the names that plain HTTP is redirected for; empty for the names in the certificates.
        hsts: seconds of Strict-Transport-Security; 0 for none.
        server_options: handed to the server untouched.
        development: reloader and debugger.
        quiet: print no banner and no access log.
        warnings: what is odd but serves.
        platform: whose edge ends TLS in front of this program, which serves plain HTTP: nothing that follows is then
            set, or means anything. None where TLS ends here.
        default: the sources of the certificate for clients that ask for no other name.
        sni: host name or wildcard -> the sources of its certificates.
        readings: what was read of those when this was decided, and proved.
        sni_strict: whether other names are refused.
        clients: whose certificates clients show; None when they show none.
        client_reading: what was read of that.
        policy: TLS versions, cipher suites, and the ALPN names of what is spoken over TCP.
        profile: the name of what the policy came from.
        http: the versions of HTTP to speak, the newest first.
        handshake_timeout: seconds a client has for the whole handshake.
        reload: whether certificates are renewed while they serve.
        context_hook: adapts each SSLContext; called with a function that makes the default one.
        redirect_port: where plain HTTP is redirected; None for nowhere.
        acme_webroot: the folder of ACME challenges on the redirect port.
        proxy_protocol: whether the proxies say who the client is before TLS begins.
        development_ca: the local CA's root certificate, when the identity is a development certificate.
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
        """Where the certificate is read from, for whoever ends TLS.

        Raises:
            LookupError: a platform's edge does.
        """
        if self.default is None:
            raise LookupError(f"{self.server} serves no certificate")
        return self.default

    @property
    def identity(self) -> Identity:
        """Certificate, chain and key, as they were read and proved when this was decided."""
        return self.readings[self.sources].value

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
        hosts = hosts_of([listener.place for listener in self.listeners]) or (self.endpoint.host,)
        return redirecting(self.redirect_port, hosts)

    def settled(self, listening: Listening) -> Plan:
        """The same, at the places that are open now: the system chose the port where none was named."""
        endpoint = public_first(listener.place for listener in listening.listeners) or self.endpoint
        return replace(self, endpoint=endpoint, listening=listening.listeners)


#: Settings that reach a plan as they are; and those that do where TLS ends here.
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
    """Settings and facts in, a plan out.

    Arguments:
        framework: ``flask``, ``bottle`` or ``wsgi``.
        platform: whose edge ends TLS; None where it ends here.
        warnings: what was found odd before (about the application).

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
        # Nothing stands against it; only `tlsrun check` issues no development certificate, and finds none.
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
    """HTTP/3 is spoken on a socket of its own, which who handed over the one for TCP may not let this process bind."""
    http = spoken(settings, facts.server)
    if settings.http or all(listener.descriptor is None for listener in facts.listeners):
        return http
    return tuple(version for version in http if version != "3")


def _development_problems(server: ServerFacts, development: Development) -> Iterator[Problem]:
    """What of ``development`` the server cannot do."""
    asked = {"The reloader": development.reload, "The debugger": development.debugger}
    for tool, wanted in asked.items():
        if wanted and not server.for_development:
            yield Problem(where=tool, what=f"it works with the built-in server only, not with {server.name}",
                          remedy="Leave it out, or use the server builtin while you develop")  # fmt: skip

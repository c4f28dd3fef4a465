"""Gathers what a decision depends on: files, the clock, ports, the installed servers."""

from __future__ import annotations

import datetime
import importlib
import operator
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar, cast

from tlsrun import started
from tlsrun.account import Account, find_account
from tlsrun.certificates.identity import Identity
from tlsrun.certificates.sources import Source
from tlsrun.deciding.choosing import ServerFacts as ServerFacts
from tlsrun.deciding.choosing import choose
from tlsrun.deciding.default_identity import (
    LoadedIdentity,
    make_development_identity,
    password_place,
    read_identity,
    read_password,
)
from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError, Problem
from tlsrun.listening.address import Listener, Place, hosts_of, redirecting
from tlsrun.listening.finding import find_listeners
from tlsrun.listening.kept import is_kept
from tlsrun.listening.probing import probe
from tlsrun.proxies.peers import Peers, read_peers
from tlsrun.settings.layers import Resolution
from tlsrun.tls import cloudflare
from tlsrun.tls.ciphers import cipher_facts
from tlsrun.tls.client import ClientSources, client_origin, faults, lacks
from tlsrun.tls.context import ClientAuth, set_groups
from tlsrun.tls.origin import Reading
from tlsrun.tls.sni import NamedIdentities, read_named, source_of

T = TypeVar("T")
Other = TypeVar("Other")


@dataclass(frozen=True, kw_only=True)
class LoadedClients:
    """The outcome of reading the CAs that sign client certificates, and their revocation lists.

    Arguments:
        reading: what was read; None if it cannot be used.
        lacks: missing lists, a problem for servers that need one of every CA.
    """

    sources: ClientSources | None = None
    reading: Reading[ClientAuth] | None = None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    lacks: tuple[Problem, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a decision depends on, as found at start-up.

    Arguments:
        now: the time, in UTC.
        server: the server to use.
        servers: all servers, by name.
        chosen_because: why ``auto`` picked the server; None if the settings name it.
        failures: setting -> problems that were found when what it names was looked up.
        loaded: the certificate and key.
        named: the certificates that SNI chooses.
        clients: the CAs that sign client certificates.
        hook: the function that adapts each SSLContext; None without one.
        webroot_exists: whether `acme_webroot` is a folder.
        listeners: where to listen; empty for the settings' host and port.
        bind_errnos: place that cannot be bound -> errno.
        redirect_errnos: the same for the redirect port.
        peers: the trusted proxies.
        account: the account that the server switches to; None to stay with that which started it.
        ciphers_usable: whether this OpenSSL has any suite of the cipher list.
        weak_cipher: a suite of the list that is not safe; None if all are.
    """

    now: datetime.datetime
    server: ServerFacts
    loaded: LoadedIdentity
    servers: Mapping[str, ServerFacts] = field(default_factory=dict)
    chosen_because: str | None = None
    failures: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    named: NamedIdentities = NamedIdentities()
    clients: LoadedClients = LoadedClients()
    hook: Callable[..., ssl.SSLContext] | None = None
    webroot_exists: bool = True
    listeners: tuple[Listener, ...] = ()
    bind_errnos: Mapping[Place, int] = field(default_factory=dict)
    redirect_errnos: Mapping[Place, int] = field(default_factory=dict)
    peers: Peers = Peers()
    account: Account | None = None
    ciphers_usable: bool = True
    weak_cipher: str | None = None

    @property
    def identities(self) -> tuple[Identity, ...]:
        """Every certificate that can be served, the default first."""
        default = self.loaded.identity
        return (*([] if default is None else [default]), *(one.value for one in self.named.readings.values()))

    @property
    def places(self) -> tuple[Source, ...]:
        """Every source that is read again when it changes: certificates, keys, chains, CAs, revocation lists."""
        identities = (*([] if self.loaded.sources is None else [self.loaded.sources]), *self.named.served)
        places = [place for sources in identities for place in sources.places]
        if (clients := self.clients.sources) is not None:
            places += [clients.ca, *([] if clients.crl is None else [clients.crl])]
        return tuple(dict.fromkeys(places))


def gather(
    resolution: Resolution,
    servers: Mapping[str, ServerFacts],
    *,
    may_develop: bool,
    starting: bool = True,
    ask_password: Callable[[str], bytes] | None = None,
) -> Facts:
    """Gather the facts for ``resolution``.

    Arguments:
        servers: facts about each server, by name.
        starting: whether this process is going to listen; if not, it need not have been passed any sockets.
        may_develop: whether a development certificate may be used if no certificate is set.
        ask_password: see `read_identity`.
    """
    settings = resolution.settings
    now = datetime.datetime.now(datetime.timezone.utc)
    failures: dict[str, tuple[Problem, ...]] = {}

    def attempt(name: str, read: Callable[[str], T], otherwise: Other) -> T | Other:
        """Call ``read`` with the setting's spelling; on an error, keep its problems, return ``otherwise``."""
        try:
            return read(resolution.spelling(name))
        except ConfigurationError as error:
            failures[name] = error.problems
            return otherwise

    loaded = read_identity(resolution, ask_password=ask_password)
    password = loaded.sources.password if loaded.sources else read_password(resolution)[0]
    again = started.with_sockets()
    endpoint = Endpoint(host=settings.host, port=settings.port)
    named_by = "user" if settings.user is not None else "group"
    account = attempt(named_by, lambda where: find_account(settings.user, settings.group, where=where), None)
    hook = attempt("context_hook", lambda where: _hook(settings.context_hook, where), None)
    attempt("groups", lambda where: _try_groups(settings.groups, where), None)
    peers = attempt("trusted_proxies", lambda where: read_peers(settings.trusted_proxies, where), Peers())
    elsewhere = again or not starting
    listeners = attempt(
        "bind", lambda where: find_listeners(settings.bind, endpoint, where=where, elsewhere=elsewhere), ()
    )
    hosts = hosts_of([listener.place for listener in listeners]) or (settings.host,)
    if not settings.names_certificate and may_develop and not resolution.problems:
        loaded = make_development_identity(hosts, now)
    choice = choose(resolution, servers)
    return Facts(
        now=now,
        server=choice.server,
        chosen_because=choice.because,
        servers=servers,
        failures=failures,
        loaded=loaded,
        named=_named(resolution, password),
        clients=_clients(resolution, now),
        peers=peers,
        account=account,
        hook=hook,
        webroot_exists=settings.acme_webroot is None or Path(settings.acme_webroot).is_dir(),
        listeners=listeners,
        bind_errnos={} if again else _errnos(listeners),
        redirect_errnos={} if again else _errnos(redirecting(settings.redirect_port, hosts)),
        **cipher_facts(settings.ciphers),
    )


def _errnos(listeners: Iterable[Listener]) -> dict[Place, int]:
    """Place -> errno, for those that are not open yet and cannot be bound."""
    listeners = tuple(listeners)
    places = [listener.place for listener in listeners]
    ours = [one.place for one in listeners if one.descriptor is None and not is_kept(one.place)]
    tried = {place: probe(place, places) for place in ours}
    return {place: number for place, number in tried.items() if number is not None}


def _named(resolution: Resolution, password: bytes | None) -> NamedIdentities:
    if resolution.settings.sni is None:
        return NamedIdentities()
    place = password_place(resolution)
    return read_named(resolution.settings.sni, resolution.spelling("sni"), password, place)


def _clients(resolution: Resolution, now: datetime.datetime) -> LoadedClients:
    settings = resolution.settings
    mode = settings.client_auth or "required"
    if settings.client_ca is None or mode == "none":
        return LoadedClients()
    crl = None if settings.client_crl is None else source_of(settings.client_crl, resolution.spelling("client_crl"))
    ca = _authority(settings.client_ca, resolution.spelling("client_ca"))
    sources = ClientSources(ca=ca, mode=mode, crl=crl)
    try:
        reading = client_origin(sources).read()
    except ConfigurationError as error:
        return LoadedClients(sources=sources, problems=error.problems)
    return LoadedClients(
        sources=sources,
        reading=reading,
        warnings=tuple(faults(reading.value, sources, now)),
        lacks=tuple(lacks(reading.value, sources)),
    )


def _authority(value: str, given_by: str) -> Source:
    if value.strip().lower() == cloudflare.WORD:
        return Source(given_by=given_by, text=cloudflare.ORIGIN_PULL_CA)
    return source_of(value, given_by)


def _hook(given: object, where: str) -> Callable[..., ssl.SSLContext] | None:
    if given is None or callable(given):
        return given
    module, _, name = str(given).partition(":")
    try:
        found = operator.attrgetter(name)(importlib.import_module(module))
    except (ImportError, AttributeError) as error:
        what = f"{given} cannot be imported: {error}"
    else:
        if callable(found):
            return cast("Callable[..., ssl.SSLContext]", found)
        what = f"{given} is no function, but a value of the type {type(found).__name__}"
    remedy = "Expected module:function, importable from where the server starts"
    raise ConfigurationError.of(where=where, what=what, remedy=remedy, code="TLS215")


def _try_groups(groups: tuple[str, ...], where: str) -> None:
    if groups:
        try:
            set_groups(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), groups)
        except ConfigurationError as error:
            raise ConfigurationError([replace(problem, where=where) for problem in error.problems]) from error

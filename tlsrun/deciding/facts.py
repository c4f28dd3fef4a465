"""What must be read from the world in order to decide: files, the clock, the port, the installed servers."""

from __future__ import annotations

import datetime
import importlib
import operator
import os
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from tlsrun.account import Account, find_account
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
from tlsrun.listening.address import Listener, Place, hosts_of
from tlsrun.listening.finding import find_listeners
from tlsrun.listening.kept import is_kept
from tlsrun.listening.probing import probe
from tlsrun.proxies.peers import Peers, read_peers
from tlsrun.settings.layers import Resolution
from tlsrun.settings.table import Settings
from tlsrun.tls import cloudflare
from tlsrun.tls.ciphers import cipher_facts
from tlsrun.tls.client import ClientSources, faults, lacks, load_client_auth
from tlsrun.tls.context import set_groups
from tlsrun.tls.sni import NamedIdentities, read_named, source_of

#: A server that is started again in place finds its own socket on the port: Werkzeug's reloader, uWSGI's and
#: gunicorn's re-execution say so in these variables.
_PORT_IS_OURS = ("WERKZEUG_SERVER_FD", "UWSGI_RELOADS", "GUNICORN_FD")


T = TypeVar("T")
Other = TypeVar("Other")


@dataclass(frozen=True, kw_only=True)
class LoadedClients:
    """The outcome of reading the authorities that sign client certificates, and revocation lists.

    Arguments:
        lacks: what a server cannot do with the lists that wants one of every authority.
    """

    sources: ClientSources | None = None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    lacks: tuple[Problem, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The world at start-up.

    Arguments:
        now: the time, in UTC.
        server: the server asked for.
        servers: all that could be asked for.
        chosen_because: why ``auto`` took the server; None when somebody named it.
        loaded: the certificate and key.
        named: the certificates that SNI chooses.
        clients: the authorities that sign client certificates.
        hook: the function that adapts contexts; None without one.
        hook_problems: why it cannot be called.
        groups_problems: why the key exchange groups cannot be had from this Python.
        webroot_exists: whether `acme_webroot` is a folder.
        listeners: where it is to listen; empty for the settings' host and port.
        listeners_problems: why that cannot be known.
        bind_errnos: of those places that cannot be bound, why.
        redirect_errno: the same for the redirect port; None when it can be.
        redirect_host: on which host it cannot.
        peers: the trusted proxies.
        peers_problems: why they cannot be read.
        account: who the server runs as; None for who started it.
        account_problems: why it cannot.
        ciphers_usable: whether this OpenSSL has a suite of the cipher list.
        weak_cipher: a suite of the list that is not safe; None when all are.
    """

    now: datetime.datetime
    server: ServerFacts
    loaded: LoadedIdentity
    servers: Mapping[str, ServerFacts] = field(default_factory=dict)
    chosen_because: str | None = None
    named: NamedIdentities = NamedIdentities()
    clients: LoadedClients = LoadedClients()
    hook: Callable[..., ssl.SSLContext] | None = None
    hook_problems: tuple[Problem, ...] = ()
    groups_problems: tuple[Problem, ...] = ()
    webroot_exists: bool = True
    listeners: tuple[Listener, ...] = ()
    listeners_problems: tuple[Problem, ...] = ()
    bind_errnos: Mapping[Place, int] = field(default_factory=dict)
    redirect_errno: int | None = None
    redirect_host: str | None = None
    peers: Peers = Peers()
    peers_problems: tuple[Problem, ...] = ()
    account: Account | None = None
    account_problems: tuple[Problem, ...] = ()
    ciphers_usable: bool = True
    weak_cipher: str | None = None

    @property
    def places(self) -> tuple[Source, ...]:
        """Everything that is read again when it changes: certificates, keys, chains, authorities, revocation lists."""
        named = dict.fromkeys(one for several in self.named.sources.values() for one in several)
        identities = (*([] if self.loaded.sources is None else [self.loaded.sources]), *named)
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
    """Read the world for ``resolution``.

    Arguments:
        servers: what is known of the servers, by name.
        starting: whether it is this process that will listen; else nobody need have handed it sockets.
        may_develop: whether a development certificate may stand in for one that was not given.
        ask_password: see `read_identity`.
    """
    settings = resolution.settings
    now = datetime.datetime.now(datetime.timezone.utc)
    loaded = read_identity(resolution, ask_password=ask_password)
    password = loaded.sources.password if loaded.sources else read_password(resolution)[0]
    started_again = any(name in os.environ for name in _PORT_IS_OURS)
    elsewhere = started_again or not starting
    hook, hook_problems = _or_problems(lambda: _hook(resolution), None)
    account, account_problems = _or_problems(lambda: _account(resolution), None)
    peers, peers_problems = _or_problems(lambda: _peers(resolution), Peers())
    listeners, listeners_problems = _or_problems(lambda: _listeners(resolution, elsewhere=elsewhere), ())
    _, groups_problems = _or_problems(lambda: _try_groups(resolution), None)
    if not settings.names_certificate and may_develop and not resolution.problems:
        loaded = make_development_identity(_hosts(settings, listeners), now)
    choice = choose(resolution, servers)
    return Facts(
        now=now,
        server=choice.server,
        chosen_because=choice.because,
        servers=servers,
        loaded=loaded,
        named=_named(resolution, password),
        clients=_clients(resolution, now),
        peers=peers,
        peers_problems=peers_problems,
        account=account,
        account_problems=account_problems,
        hook=hook,
        hook_problems=hook_problems,
        groups_problems=tuple(replace(problem, where=resolution.spelling("groups")) for problem in groups_problems),
        webroot_exists=settings.acme_webroot is None or Path(settings.acme_webroot).is_dir(),
        listeners=listeners,
        listeners_problems=listeners_problems,
        bind_errnos={} if started_again else _bind_errnos(listeners),
        **({} if started_again else _redirect_facts(settings, listeners)),
        **cipher_facts(settings.ciphers),
    )


def _or_problems(read: Callable[[], T], otherwise: Other) -> tuple[T | Other, tuple[Problem, ...]]:
    """What ``read`` returns; ``otherwise``, and why, when it raises."""
    try:
        return read(), ()
    except ConfigurationError as error:
        return otherwise, error.problems


def _listeners(resolution: Resolution, *, elsewhere: bool) -> tuple[Listener, ...]:
    settings = resolution.settings
    endpoint = Endpoint(host=settings.host, port=settings.port)
    return find_listeners(settings.bind, endpoint, where=resolution.spelling("bind"), elsewhere=elsewhere)


def _hosts(settings: Settings, listeners: Iterable[Listener]) -> tuple[str, ...]:
    """The hosts that are listened at; where there are Unix sockets alone, the settings' host."""
    return hosts_of([listener.place for listener in listeners]) or (settings.host,)


def _bind_errnos(listeners: Iterable[Listener]) -> dict[Place, int]:
    listeners = tuple(listeners)
    places = [listener.place for listener in listeners]
    ours = [one.place for one in listeners if one.descriptor is None and not is_kept(one.place)]
    tried = {place: probe(place, places) for place in ours}
    return {place: number for place, number in tried.items() if number is not None}


def _redirect_facts(settings: Settings, listeners: Iterable[Listener]) -> dict[str, Any]:
    if settings.redirect_port is None:
        return {}
    places = [Endpoint(host=host, port=settings.redirect_port) for host in _hosts(settings, listeners)]
    for place in places:
        if not is_kept(place) and (number := probe(place, places)) is not None:
            return {"redirect_errno": number, "redirect_host": place.host}
    return {}


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
    client_auth, problems = _or_problems(lambda: load_client_auth(sources), None)
    if client_auth is None:
        return LoadedClients(sources=sources, problems=problems)
    return LoadedClients(
        sources=sources,
        warnings=tuple(faults(client_auth, sources, now)),
        lacks=tuple(lacks(client_auth, sources)),
    )


def _authority(value: str, given_by: str) -> Source:
    if value.strip().lower() == cloudflare.WORD:
        return Source(given_by=given_by, text=cloudflare.ORIGIN_PULL_CA)
    return source_of(value, given_by)


def _account(resolution: Resolution) -> Account | None:
    settings = resolution.settings
    where = resolution.spelling("user" if settings.user is not None else "group")
    return find_account(settings.user, settings.group, where=where)


def _peers(resolution: Resolution) -> Peers:
    return read_peers(resolution.settings.trusted_proxies, resolution.spelling("trusted_proxies"))


def _hook(resolution: Resolution) -> Callable[..., ssl.SSLContext] | None:
    given = resolution.settings.context_hook
    if given is None or callable(given):
        return cast("Callable[..., ssl.SSLContext] | None", given)
    module, _, name = given.partition(":")
    try:
        found = operator.attrgetter(name)(importlib.import_module(module))
    except (ImportError, AttributeError) as error:
        what = f"{given} cannot be imported: {error}"
    else:
        if callable(found):
            return cast("Callable[..., ssl.SSLContext]", found)
        what = f"{given} is no function, but a value of the type {type(found).__name__}"
    remedy = "Expected module:function, importable from where the server starts"
    where = resolution.spelling("context_hook")
    raise ConfigurationError([Problem(where=where, what=what, remedy=remedy, code="TLS215")])


def _try_groups(resolution: Resolution) -> None:
    if resolution.settings.groups:
        set_groups(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), resolution.settings.groups)

"""Choosing the server: facts about each, the settings it can honour, and what ``server = auto`` picks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tlsrun.endpoint import Endpoint
from tlsrun.errors import Problem
from tlsrun.settings.bind_kind import only_here
from tlsrun.settings.derived import verifies_clients
from tlsrun.settings.layers import Resolution
from tlsrun.settings.mapping import Cell, Unsupported
from tlsrun.settings.table import SPECS, Settings
from tlsrun.settings.words import AUTO


@dataclass(frozen=True, kw_only=True)
class ServerFacts:
    """Facts about a server on this machine.

    Arguments:
        name: its value in the setting ``server``.
        title: its name as people write it.
        mapping: how each setting is passed to it.
        version: of the installed package; None if it is not installed.
        missing: why it cannot run here; None when it can.
        elsewhere: whether it runs on other operating systems only.
        rank: its place in the order in which ``auto`` tries servers: the fastest first, as measured; the one for
            development last.
        http: the HTTP versions that it supports well here, newest first.
        http_limits: HTTP version -> settings that the server cannot honour with it, though it can with others.
        redirects_plain_http: whether plain HTTP on the HTTPS port is answered with a redirect.
        renews_as_starter: whether renewed certificates are read by a process that keeps the user who started it.
        mixes_up_underscores: whether it takes a header ``X_Forwarded_For`` for ``X-Forwarded-For``.
        wants_every_list: whether it needs a revocation list of every CA in a client's chain, and refuses without.
        for_development: whether it is the development server: reloader, debugger, one process, development certificate.
        serves_plain: whether it serves plain HTTP where a platform's edge terminates TLS.
    """

    name: str
    title: str
    mapping: Mapping[str, Cell]
    version: str | None = None
    missing: Problem | None = None
    elsewhere: bool = False
    rank: int = 0
    http: tuple[str, ...] = ("1.1",)
    http_limits: Mapping[str, Mapping[str, Unsupported]] = field(default_factory=dict)
    redirects_plain_http: bool = True
    renews_as_starter: bool = False
    wants_every_list: bool = False
    mixes_up_underscores: bool = False
    for_development: bool = False
    serves_plain: bool = False


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The server to use.

    Arguments:
        server: facts about it.
        because: why ``auto`` picked it; None if the settings name it.
    """

    server: ServerFacts
    because: str | None = None


def may_use_development_certificate(settings: Settings, named: ServerFacts | None) -> bool:
    """Whether a development certificate may be used: always with the development server, else on loopback only.

    Arguments:
        named: the server that the settings name; None for ``auto``.
    """
    if named is not None and named.for_development:
        return True
    if settings.bind:
        return only_here(settings.bind)
    return Endpoint(host=settings.host, port=settings.port).is_loopback


def honours(server: ServerFacts, name: str, value: Any) -> bool:
    """Whether ``server`` can do what the setting ``name`` asks for with ``value``."""
    if name == "http" and not set(value) <= set(server.http):
        return False
    cell = server.mapping[name]
    return not isinstance(cell, Unsupported) or cell.honours(value)


def limits_of(server: ServerFacts, version: str, settings: Settings) -> dict[str, str]:
    """The settings that ``server`` cannot honour with an HTTP ``version``: setting -> why."""
    cells = server.http_limits.get(version, {})
    return {name: cell.reason for name, cell in cells.items() if not cell.honours(getattr(settings, name))}


def unmet(server: ServerFacts, resolution: Resolution) -> list[str]:
    """The settings that were given and that ``server`` cannot honour, in the order of the table."""
    settings = resolution.settings
    # Verifying clients implies client_facts: the application has to learn who the client is.
    asked = set(resolution.origins) | ({"client_facts"} if verifies_clients(settings) else set())
    limited = {name for version in settings.http for name in limits_of(server, version, settings)}
    return [
        name
        for name in SPECS
        if name in asked and (name in limited or not honours(server, name, getattr(settings, name)))
    ]


def spoken(settings: Settings, server: ServerFacts) -> tuple[str, ...]:
    """The HTTP versions to serve: those asked for; else those that ``server`` supports well and that honour the other
    settings. Newest first."""
    return settings.http or tuple(version for version in server.http if not limits_of(server, version, settings))


def http_words(versions: Iterable[str]) -> str:
    """``HTTP/3, HTTP/2 and HTTP/1.1``."""
    *others, last = (f"HTTP/{version}" for version in versions)
    return f"{', '.join(others)} and {last}" if others else last


def choose(resolution: Resolution, servers: Mapping[str, ServerFacts]) -> Choice:
    """The server that the settings name; for ``auto``, the best one that is installed and honours all of them.

    If none does, the one that comes nearest; its problems are then reported with all others.
    """
    settings = resolution.settings
    if settings.server != AUTO:
        return Choice(server=servers[settings.server])
    candidates = sorted(servers.values(), key=lambda server: server.rank)
    hindrances = {server.name: _hindrance(server, resolution) for server in candidates}
    willing = [server for server in candidates if not unmet(server, resolution)]
    best = next((server for server in willing if not server.missing), None) or (willing or candidates)[0]
    passed = [hindrances[server.name] for server in candidates[: candidates.index(best)]]
    reasons = [f"it speaks {http_words(spoken(settings, best))}", *(reason for reason in passed if reason)]
    return Choice(server=best, because="; ".join(reasons))


def _hindrance(server: ServerFacts, resolution: Resolution) -> str | None:
    lacking = unmet(server, resolution)
    if "http" in lacking:
        return f"{server.title} speaks {http_words(server.http)} only"
    if lacking:
        return f"{server.title} cannot do what {', '.join(lacking)} asks for"
    return f"{server.title} cannot run here" if server.missing else None

"""The start-up banner: the URL to open, what is served, and how."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import replace

from tlsrun import __version__
from tlsrun.deciding.choosing import http_words
from tlsrun.deciding.facts import ServerFacts
from tlsrun.deciding.plan import Plan
from tlsrun.deciding.platform import Platform
from tlsrun.endpoint import Endpoint
from tlsrun.listening.address import url_of
from tlsrun.settings.proxies import spell


def banner_lines(plan: Plan, server: ServerFacts, now: datetime.datetime, app_name: str) -> Iterator[str]:
    """The banner's lines.

    Arguments:
        now: the time, in UTC, from which days are counted.
        app_name: the application as the user named it.
    """
    title = f"{server.title} {server.version}" if server.version else server.title
    serving = f"{app_name} on" if app_name else "on"
    yield f"tlsrun {__version__}: serving {serving} {title}{_processes(plan, server)}"
    if plan.platform is None:
        yield from _lines_of_tls(plan, server, now)
    else:
        yield from _lines_behind(plan, plan.platform)


def _lines_of_tls(plan: Plan, server: ServerFacts, now: datetime.datetime) -> Iterator[str]:
    if plan.chosen_because is not None:
        yield f"{server.title} was chosen (server = auto): {plan.chosen_because}"
    yield f"{_link(plan)} (Ctrl-C stops it)"
    if others := _others(plan):
        yield f"Also at {', '.join(others)}"
    if plan.endpoint.is_wildcard and plan.development_ca is None and (links := _links_by_name(plan)):
        yield f"By name: {links}"
    yield f"Certificate: {certificate_words(plan, now)}"
    if plan.development_ca is not None:
        command = "flask tls trust" if plan.framework == "flask" else "tlsrun trust"
        yield f"It is a development certificate. `{command}` has browsers trust the CA: {plan.development_ca}"
    if plan.sni:
        yield f"More certificates, chosen by name: {_some(tuple(plan.sni))}"
    yield f"TLS {' and '.join(plan.policy.versions)}, profile {plan.profile}; {http_words(plan.http)}"
    yield f"Plain HTTP: {_plain_words(plan, server)}"


def _lines_behind(plan: Plan, platform: Platform) -> Iterator[str]:
    title = platform.title
    yield (
        f"Plain HTTP on port {plan.endpoint.port}, on purpose: {title}'s edge ends TLS ({platform.sign}), "
        "and no certificate is set"
    )
    words = ", ".join(spell(header) for header in sorted(plan.front.headers))
    yield f"{title}'s router is trusted to say who the client is: {words}"
    yield "Clients that came to it over http are redirected to https" + (
        f", but for {', '.join(plan.front.exempt)}" if plan.front.exempt else ""
    )


def _plain_words(plan: Plan, server: ServerFacts) -> str:
    if plan.redirect_port is not None:
        return f"port {plan.redirect_port} sends visitors to https"
    if server.redirects_plain_http:
        return "visitors of this port are sent to https"
    return "not answered; with --redirect-port 80 visitors are sent to https"


def _links_by_name(plan: Plan) -> str:
    """URLs that a browser opens without a warning, for a server that listens on every address."""
    named = [replace(plan.endpoint, host=name) for name in plan.identity.names if "*" not in name]
    urls = tuple(endpoint.url for endpoint in named if not endpoint.is_loopback)
    return _some(urls) if urls else ""


def _processes(plan: Plan, server: ServerFacts) -> str:
    if server.for_development:
        return ""
    workers = "1 worker" if plan.workers == 1 else f"{plan.workers} workers"
    return f", {workers}"


def _others(plan: Plan) -> list[str]:
    """The places that `_link` does not name."""
    return [url_of(one) for one in plan.listeners if one.place != plan.endpoint] if _has_endpoint(plan) else []


def _has_endpoint(plan: Plan) -> bool:
    return any(isinstance(listener.place, Endpoint) for listener in plan.listeners)


def _link(plan: Plan) -> str:
    if not _has_endpoint(plan):
        return ", ".join(map(url_of, plan.listeners))
    if plan.endpoint.port == 0:
        return f"{plan.endpoint.url.rpartition(':')[0]}, on a free port, which is named below"
    every = f", on every address of this machine ({plan.endpoint.authority})" if plan.endpoint.is_wildcard else ""
    return plan.endpoint.url + every


def certificate_words(plan: Plan, now: datetime.datetime) -> str:
    """Names and days left, in one line."""
    days = (plan.identity.not_after - now).days
    left = f"{days} days left" if days >= 0 else f"expired {-days} days ago"
    return f"{_some(plan.identity.names)}; {plan.identity.key_type}; {left} (until {plan.identity.not_after:%Y-%m-%d})"


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return shown or "no names"

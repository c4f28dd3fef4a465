"""Findings on the chosen server: whether it can run here, its version, and its options."""

from __future__ import annotations

import difflib
import platform
import ssl
from collections.abc import Iterator

from tlsrun import servers
from tlsrun.check.code import Severity
from tlsrun.check.finding import Finding, found, from_problem, from_problems
from tlsrun.deciding.choosing import http_words, spoken
from tlsrun.deciding.facts import Facts
from tlsrun.deciding.places import endpoint_of
from tlsrun.deciding.plan import Plan
from tlsrun.errors import ConfigurationError
from tlsrun.settings.layers import Resolution


def check_server(resolution: Resolution, facts: Facts, plan: Plan | None) -> Iterator[Finding]:
    """Findings on the server.

    Arguments:
        plan: the plan that it would be started with; None if the settings prevent that.
    """
    server, settings = facts.server, resolution.settings
    yield from _openssl()
    if server.missing is not None:
        yield from_problem(server.missing, "server-missing", severity=Severity.ERROR)
        return
    where = f"{resolution.spelling('server')} {server.name}"
    because = f"; chosen by auto: {facts.chosen_because}" if facts.chosen_because else ""
    yield found("server-version", where, f"{server.title} {server.version or ''} {_ground()}{because}")
    if (remark := servers.load(server.name).remark) is not None:
        code, what = remark()
        yield found(code, where, what)
    http = spoken(settings, server)
    remedy = "Nothing." if "2" in http else None
    yield found("http-versions", where, f"{server.title} speaks {http_words(http)} here", remedy)
    if server.for_development and not (endpoint := endpoint_of(settings, facts)).is_loopback:
        yield found("builtin-public", where, f"others can reach {endpoint.host}, and {server.title} answers")
    yield from _options(resolution, server.name, plan)


def _ground() -> str:
    return f"on Python {platform.python_version()} with {' '.join(ssl.OPENSSL_VERSION.split()[:2])}"


def _openssl() -> Iterator[Finding]:
    if ssl.OPENSSL_VERSION_INFO < (3,):
        yield found("openssl-old", "this Python", f"it is linked with {ssl.OPENSSL_VERSION}")


def _options(resolution: Resolution, name: str, plan: Plan | None) -> Iterator[Finding]:
    """Findings on ``server_options``: validated by the server if there is a plan, otherwise by name only."""
    if plan is not None:
        try:
            servers.load(name).read_options(plan)
        except ConfigurationError as error:
            yield from from_problems(error.problems, "server-option", severity=Severity.ERROR)
        return
    known = {option.replace("-", "_"): option for option in servers.load(name).option_names()}
    for option in resolution.settings.server_options if known else ():
        if option.replace("-", "_") not in known:
            close = difflib.get_close_matches(option.replace("-", "_"), known, n=1)
            remedy = f"Did you mean {known[close[0]]}?" if close else None
            where = f"{resolution.spelling('server_options')} {option}"
            yield found("server-option", where, f"{name} has no such option", remedy)

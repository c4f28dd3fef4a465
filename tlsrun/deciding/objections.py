"""Problems that prevent a start with these settings, and warnings that do not; all at once. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from tlsrun.deciding.choosing import honours, http_words, limits_of, may_use_development_certificate, spoken, unmet
from tlsrun.deciding.facts import Facts
from tlsrun.deciding.places import bind_problems, port_problems
from tlsrun.endpoint import Endpoint
from tlsrun.errors import Problem
from tlsrun.proxies.peers import EVERYBODY
from tlsrun.renewal.acceptance import objection
from tlsrun.settings.derived import policy_of
from tlsrun.settings.layers import Resolution
from tlsrun.settings.mapping import Unsupported
from tlsrun.settings.proxies import dropping, mixed_up
from tlsrun.tls.ciphers import nothing_in_common
from tlsrun.tls.quic_keys import unfit_for_quic


def objections(resolution: Resolution, facts: Facts, endpoint: Endpoint) -> Iterator[Problem]:
    """Every problem that prevents a start: of the settings themselves, the server, the certificates, the ports."""
    yield from resolution.problems
    if facts.server.missing:
        yield facts.server.missing
    yield from _unsupported(resolution, facts)
    yield from _policy_problems(resolution, facts)
    yield from _identity_problems(resolution, facts, endpoint)
    yield from _suite_problems(resolution, facts)
    yield from _http3_problems(resolution, facts)
    yield from (*facts.named.problems, *facts.clients.problems)
    for problems in facts.failures.values():
        yield from problems
    yield from _client_problems(resolution)
    if facts.server.wants_every_list:
        yield from facts.clients.lacks
    yield from _proxy_problems(resolution)
    yield from _underscore_problems(resolution, facts)
    yield from _redirect_problems(resolution, facts, endpoint)
    yield from bind_problems(resolution, facts)


def _unsupported(resolution: Resolution, facts: Facts) -> Iterator[Problem]:
    yield from _limited(resolution, facts)
    for name in unmet(facts.server, resolution):
        cell, value = facts.server.mapping[name], getattr(resolution.settings, name)
        if honours(facts.server, name, value):
            continue
        able = [one.name for one in facts.servers.values() if not one.elsewhere and honours(one, name, value)]
        reason = cell.reason if isinstance(cell, Unsupported) else f"speaks {http_words(facts.server.http)} only"
        instead, given = "Leave it out", name
        if name == "client_facts":
            instead = "Set TLS_CLIENT_FACTS to no (--no-client-facts) if it is enough that they are verified"
            given = name if resolution.is_given(name) else "client_ca"
        remedy = f"{instead}, or use a server that can: {', '.join(able)}" if able else instead
        yield Problem(
            where=resolution.spelling(given), what=f"{facts.server.title} {reason}", remedy=remedy, code="TLS203"
        )


def _limited(resolution: Resolution, facts: Facts) -> Iterator[Problem]:
    """Settings that cannot be honoured with an HTTP version that was asked for."""
    settings, server = resolution.settings, facts.server
    for version in settings.http:
        others = ", ".join(one for one in server.http if one != version)
        for name, reason in limits_of(server, version, settings).items():
            yield Problem(
                where=resolution.spelling(name),
                what=f"{server.title}'s HTTP/{version} {reason}",
                remedy=f"Leave it out, or set TLS_HTTP (--http) to {others}",
                code="TLS203",
            )


def _policy_problems(resolution: Resolution, facts: Facts) -> Iterator[Problem]:
    settings = resolution.settings
    policy = policy_of(settings)
    if settings.profile == "modern" and resolution.is_given("min_version") and settings.min_version == "1.2":
        yield Problem(
            where=resolution.spelling("min_version"),
            what="1.2 contradicts the profile modern, which speaks TLS 1.3 only",
            remedy="Leave one of them out",
            code="TLS204",
        )
    elif not policy.versions:
        yield Problem(
            where=resolution.spelling("max_version"),
            what=f"{policy.max_version} is older than the oldest version, {policy.min_version}",
            remedy="Raise max_version, or lower min_version",
            code="TLS204",
        )
    if resolution.is_given("ciphers") and settings.ciphers and "1.2" not in policy.versions:
        yield Problem(
            where=resolution.spelling("ciphers"),
            what="names suites of TLS 1.2, and only TLS 1.3 is spoken",
            remedy="Leave it out, or allow TLS 1.2 (min_version, profile)",
            code="TLS204",
        )
    if not facts.ciphers_usable:
        yield Problem(
            where=resolution.spelling("ciphers"),
            what=f"{settings.ciphers!r} names no TLS 1.2 cipher suite that this OpenSSL has",
            remedy="Leave it out for the profile's suites, or see `openssl ciphers -v` for the names",
            code="TLS206",
        )


def _identity_problems(resolution: Resolution, facts: Facts, endpoint: Endpoint) -> Iterator[Problem]:
    settings, loaded = resolution.settings, facts.loaded
    yield from loaded.problems
    if not settings.names_certificate:
        for name in ("key", "chain", "key_password", "key_password_file", "key_password_command"):
            if resolution.is_given(name):
                yield Problem(where=resolution.spelling(name), what="is given, and no certificate",
                              remedy="Set TLS_CERT (--cert) too", code="TLS205")  # fmt: skip
        named = facts.server if facts.chosen_because is None else None
        seen_by_others = not (facts.server.for_development or endpoint.is_loopback)  # systemd's sockets may be
        if seen_by_others or not may_use_development_certificate(settings, named):
            yield Problem(
                where=f"{resolution.spelling('bind' if settings.bind else 'host')} {endpoint.host}",
                what=f"{facts.server.title} on an address that others can reach needs a certificate, "
                "and none is set; a development certificate is for this machine only",
                remedy="Set TLS_CERT and TLS_KEY (--cert and --key), or listen on 127.0.0.1",
                code="TLS209",
            )
    elif loaded.identity is not None and not endpoint.is_loopback:
        problem = _validity(facts)
        if problem is not None:
            yield problem


def _validity(facts: Facts) -> Problem | None:
    loaded = facts.loaded
    if loaded.identity is None or loaded.sources is None:
        return None
    return objection(None, loaded.identity, loaded.sources.cert, now=facts.now)


def _suite_problems(resolution: Resolution, facts: Facts) -> Iterator[Problem]:
    """If no certificate fits any suite, every handshake fails; a renewal is checked likewise."""
    policy = policy_of(resolution.settings)
    found = [nothing_in_common(one.names, one.key_type, policy) for one in facts.identities]
    if policy.max_version == "1.2" and None not in found:
        for what, remedy in filter(None, found):
            yield Problem(where=resolution.spelling("ciphers"), what=what, remedy=remedy, code="TLS208")


def _http3_problems(resolution: Resolution, facts: Facts) -> Iterator[Problem]:
    """Keys that HTTP/3 cannot sign with; a renewal is checked likewise (see `tlsrun.servers.certificates`)."""
    if facts.server.missing or "3" not in spoken(resolution.settings, facts.server):
        return
    for kind in dict.fromkeys(one.key_type for one in facts.identities):
        if (why := unfit_for_quic(kind)) is not None:
            yield Problem(
                where=resolution.spelling("http"),
                what=f"{facts.server.title}'s {why}",
                remedy="Set TLS_HTTP (--http) to 2,1.1, or have a certificate issued for an ECDSA P-256 key",
                code="TLS219",
            )


def _client_problems(resolution: Resolution) -> Iterator[Problem]:
    settings = resolution.settings
    if settings.client_ca is None:
        for name in ("client_auth", "client_crl"):
            if resolution.is_given(name) and getattr(settings, name) != "none":
                yield Problem(
                    where=resolution.spelling(name),
                    what="says how to check client certificates, and no authority is given that signs them",
                    remedy="Set TLS_CLIENT_CA (--client-ca)",
                    code="TLS205",
                )


def _proxy_problems(resolution: Resolution) -> Iterator[Problem]:
    settings = resolution.settings
    for name in ("proxy", "redirect_exempt", "proxy_drops_underscores", "proxy_protocol"):
        if getattr(settings, name) and not settings.trusted_proxies:
            yield Problem(
                where=resolution.spelling(name),
                what="is about a trusted proxy, and none is named",
                remedy="Set TLS_TRUSTED_PROXIES (--trusted-proxies) to its address",
                code="TLS205",
            )


def _underscore_problems(resolution: Resolution, facts: Facts) -> Iterator[Problem]:
    """A header name with an underscore becomes the same variable as the one with a hyphen (CVE-2015-0219)."""
    settings = resolution.settings
    if not facts.server.mixes_up_underscores or not settings.trusted_proxies or settings.proxy_drops_underscores:
        return
    if dropping(settings.proxy) is None:
        yield mixed_up(facts.server.title, resolution.spelling("trusted_proxies"))


def _underscore_warnings(resolution: Resolution, facts: Facts) -> Iterator[Problem]:
    settings = resolution.settings
    if not facts.server.mixes_up_underscores or not settings.trusted_proxies or settings.proxy_drops_underscores:
        return
    preset = dropping(settings.proxy)
    if preset is not None and preset.drops_underscores == "exported":
        yield Problem(
            where=f"{resolution.spelling('proxy')} {','.join(settings.proxy)}",
            what=f"{facts.server.title} takes a header X_Forwarded_For for X-Forwarded-For, and {preset.title} drops "
            "names with underscores only if its configuration says so, as the file of `tlsrun export` does",
            remedy="See that yours does, and say so by TLS_PROXY_DROPS_UNDERSCORES = yes (--proxy-drops-underscores)",
            code="TLS221",
        )


def _redirect_problems(resolution: Resolution, facts: Facts, endpoint: Endpoint) -> Iterator[Problem]:
    settings = resolution.settings
    if settings.redirect_port is None:
        if settings.acme_webroot is not None:
            yield Problem(
                where=resolution.spelling("acme_webroot"),
                what="is for the redirect port, and none is set",
                remedy="Set TLS_REDIRECT_PORT (--redirect-port), mostly to 80",
                code="TLS205",
            )
        return
    if endpoint.port == 0:
        instead = "Name a port in TLS_BIND (--bind)" if settings.bind else "Set TLS_PORT (--port) too"
        yield Problem(
            where=resolution.spelling("redirect_port"),
            what="a redirect leads to the port of HTTPS, and with the port 0 nobody knows which it will be",
            remedy=f"{instead}, or leave it out",
            code="TLS204",
        )
    if settings.redirect_port in {endpoint.port, *_ports(facts)}:
        yield Problem(
            where=resolution.spelling("redirect_port"),
            what=f"{settings.redirect_port} is the port of HTTPS itself",
            remedy="Choose another, mostly 80; plain HTTP on the HTTPS port is redirected anyway",
            code="TLS204",
        )
        return
    if not facts.webroot_exists:
        yield Problem(where=resolution.spelling("acme_webroot"), what=f"{settings.acme_webroot} is not a folder",
                      remedy="Name the folder that certbot gets with --webroot-path", code="TLS214")  # fmt: skip
    for place, number in facts.redirect_errnos.items():
        if isinstance(place, Endpoint):
            yield from port_problems(resolution, "redirect_port", place, number)


def _ports(facts: Facts) -> set[int]:
    return {listener.place.port for listener in facts.listeners if isinstance(listener.place, Endpoint)}


def _unreadable_later(resolution: Resolution, facts: Facts) -> Iterator[Problem]:
    """Files that root reads at the start, and that the account the server switches to cannot read once renewed."""
    account = facts.account
    if account is None or facts.server.renews_as_starter or not resolution.settings.reload:
        return
    for source in facts.places:
        if source.path is not None and not account.may_read(source.path):
            yield source.problem(
                what=f"{source.name} is read now, by root; the user {account.user} that the server becomes cannot "
                "read it, so a renewed one is served only after a restart",
                remedy="Let a group of that user read it (chgrp, chmod g+r), or hand it over by systemd's "
                "LoadCredential= and name it as $CREDENTIALS_DIRECTORY/NAME",
                code="TLS103",
            )


def oddities(resolution: Resolution, facts: Facts, endpoint: Endpoint) -> Iterator[Problem]:
    """Warnings about what does not prevent a start."""
    settings = resolution.settings
    yield from _unreadable_later(resolution, facts)
    if endpoint.is_loopback and (problem := _validity(facts)) is not None:
        yield problem
    for sources, reading in facts.named.readings.items():
        if (problem := objection(None, reading.value, sources.cert, now=facts.now)) is not None:
            yield problem
    if EVERYBODY in settings.trusted_proxies and not endpoint.is_loopback:
        yield Problem(
            where=f"{resolution.spelling('trusted_proxies')} *",
            what="everybody who reaches this address is believed to be a proxy, and can claim another address",
            remedy="Name the proxies, or see that nobody else reaches this port",
        )
    yield from _underscore_warnings(resolution, facts)
    if facts.weak_cipher:
        yield Problem(
            where=resolution.spelling("ciphers"),
            what=f"allows {facts.weak_cipher}, which lacks forward secrecy or authenticated encryption",
            remedy="Leave it out for the profile's suites",
            code="TLS207",
        )
    if facts.loaded.development_ca is not None and not endpoint.is_loopback:
        yield Problem(
            where=f"{resolution.spelling('bind' if settings.bind else 'host')} {endpoint.host}",
            what="others can reach this address, and the certificate is a development certificate",
            remedy="Set TLS_CERT and TLS_KEY (--cert and --key) before people use it",
            code="TLS209",
        )

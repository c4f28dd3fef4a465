"""Deciding: settings and facts in, a plan or all problems out."""

from __future__ import annotations

import dataclasses
import datetime
import errno
from pathlib import Path
from typing import Any

import pytest

from tests.support.certs import DAY, NOW, Authority
from tlsrun import servers
from tlsrun.certificates.identity import IdentitySources, Source
from tlsrun.deciding.default_identity import LoadedIdentity
from tlsrun.deciding.facts import Facts, ServerFacts
from tlsrun.deciding.plan import Development, Plan, decide
from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError, Problem
from tlsrun.listening.address import Listener, UnixSocket
from tlsrun.listening.finding import find_listeners
from tlsrun.renewal.reload import identity_origin
from tlsrun.settings.layers import flask_layer, resolve
from tlsrun.settings.mapping import Cell, Ours, Unsupported
from tlsrun.settings.table import SPECS
from tlsrun.tls.sni import NamedIdentities


def _server(name: str, **cells: Cell) -> ServerFacts:
    mapping: dict[str, Cell] = {setting: Ours("") for setting in SPECS}
    facts = ServerFacts(name=name, title=name, version="1", mapping={**mapping, **cells})
    return dataclasses.replace(facts, for_development=name == "builtin")


SERVERS = {
    "builtin": _server("builtin", workers=Unsupported("has one process", accepts=(1,))),
    "gunicorn": _server("gunicorn"),
    "uwsgi": _server("uwsgi"),
}


@pytest.fixture(scope="module")
def good(ca: Authority) -> LoadedIdentity:
    """A certificate for localhost with its key, from text."""
    return _load(ca)


def _load(ca: Authority, **leaf: Any) -> LoadedIdentity:
    pair = ca.leaf(**leaf)
    sources = IdentitySources(
        cert=Source(given_by="TLS_CERT", text=pair.fullchain_pem), key=Source(given_by="TLS_KEY", text=pair.key_pem)
    )
    return LoadedIdentity(sources=sources, reading=identity_origin(sources).read())


def _decide(
    config: dict[str, Any],
    loaded: LoadedIdentity,
    *,
    development: Development | None = None,
    **facts: Any,
) -> Plan:
    resolution = resolve([flask_layer({"TLS_CERT": "cert.pem", **config})])
    world = Facts(
        now=datetime.datetime.now(datetime.timezone.utc),
        server=SERVERS[resolution.settings.server],
        servers=SERVERS,
        loaded=loaded,
    )
    return decide(resolution, dataclasses.replace(world, **facts), framework="flask", development=development)


def _problems(config: dict[str, Any], loaded: LoadedIdentity, **facts: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        _decide(config, loaded, **facts)
    return [str(problem) for problem in caught.value.problems]


def test_a_plan_carries_what_was_set(good: LoadedIdentity) -> None:
    """Every decided value stands in the plan."""
    plan = _decide({"TLS_SERVER": "gunicorn", "TLS_WORKERS": 3, "TLS_PORT": 8443, "TLS_HSTS": 60}, good)
    assert (plan.server, plan.workers, plan.endpoint.port, plan.hsts) == ("gunicorn", 3, 8443, 60)
    assert plan.identity is good.identity
    assert plan.policy.min_version == "1.2"
    assert plan.reload


def test_modern_is_tls_1_3_only(good: LoadedIdentity) -> None:
    """The profile decides the version."""
    assert _decide({"TLS_PROFILE": "modern"}, good).policy.min_version == "1.3"


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"TLS_PROFILE": "modern", "TLS_MIN_VERSION": "1.2"}, "TLS_MIN_VERSION in app.config: 1.2 contradicts"),
        ({"TLS_MIN_VERSION": "1.3", "TLS_MAX_VERSION": "1.2"}, "TLS_MAX_VERSION in app.config: 1.2 is older"),
        ({"TLS_WORKERS": 4}, "TLS_WORKERS in app.config: builtin has one process. Leave it out, or use a server"),
        ({"TLS_CLIENT_AUTH": "required"}, "Set TLS_CLIENT_CA"),
        ({"TLS_PROFILE": "modern", "TLS_CIPHERS": "ECDHE+AESGCM"}, "names suites of TLS 1.2, and only TLS 1.3"),
        ({"TLS_ACME_WEBROOT": "."}, "Set TLS_REDIRECT_PORT"),
        ({"TLS_REDIRECT_PORT": 5000}, "5000 is the port of HTTPS itself"),
        ({"TLS_REDIRECT_PORT": 8081, "TLS_PORT": 0}, "TLS_REDIRECT_PORT in app.config: a redirect leads to the port"),
    ],
)
def test_contradictions(good: LoadedIdentity, config: dict[str, Any], says: str) -> None:
    """Settings that cannot hold together are refused, with what to do."""
    (problem,) = _problems(config, good)
    assert says in problem


def test_what_changes_nothing_is_no_contradiction(good: LoadedIdentity) -> None:
    """TLS_WORKERS = 1 suits a server that has one process."""
    assert _decide({"TLS_WORKERS": 1}, good).workers == 1


def test_an_expired_certificate_among_others_is_a_warning(ca: Authority, good: LoadedIdentity) -> None:
    """The other names of the server are served all the same; it is said which file is out of date."""
    expired = _load(ca, not_before=NOW - 9 * DAY, not_after=NOW - DAY)
    assert expired.reading is not None
    place = Source(given_by="TLS_SNI for a.test", path=Path("a.crt"))
    named = NamedIdentities(readings={IdentitySources(cert=place): expired.reading})
    (warning,) = _decide({"TLS_HOST": "192.0.2.7"}, good, named=named).warnings
    assert "TLS_SNI for a.test" in str(warning)
    assert "expired" in str(warning)


def test_http_versions(good: LoadedIdentity) -> None:
    """What the server does well, or what was asked for; ALPN offers what is spoken over TCP, and nothing else."""
    able = {**SERVERS, "uwsgi": dataclasses.replace(SERVERS["uwsgi"], http=("3", "2", "1.1"))}
    plan = _decide({"TLS_SERVER": "uwsgi"}, good, server=able["uwsgi"])
    assert (plan.http, plan.policy.alpn) == (("3", "2", "1.1"), ("h2", "http/1.1"))
    plan = _decide({"TLS_SERVER": "uwsgi", "TLS_HTTP": "1.1"}, good, server=able["uwsgi"])
    assert (plan.http, plan.policy.alpn) == (("1.1",), ("http/1.1",))
    (problem,) = _problems({"TLS_SERVER": "gunicorn", "TLS_HTTP": ["1.1", "2"]}, good, servers=able)
    assert "gunicorn speaks HTTP/1.1 only. Leave it out, or use a server that can: uwsgi." in problem


def test_all_problems_at_once(good: LoadedIdentity) -> None:
    """Settings, server, certificate and port are all heard before anything is said."""
    missing = Problem(where="TLS_SERVER", what="gunicorn is not installed", remedy="Install it")
    problems = _problems(
        {"TLS_SERVER": "gunicorn", "TLS_PORTT": 1, "TLS_MIN_VERSION": "9"},
        LoadedIdentity(problems=(Problem(where="TLS_CERT", what="is gone", remedy="Bring it back"),)),
        server=dataclasses.replace(SERVERS["gunicorn"], missing=missing),
        bind_errnos={Endpoint(host="127.0.0.1", port=5000): errno.EADDRINUSE},
    )
    assert len(problems) == 5


@pytest.mark.parametrize("server", ["builtin", "gunicorn", "uwsgi"])
def test_an_expired_certificate(ca: Authority, server: str) -> None:
    """For others it is an error; on loopback it serves, with a warning."""
    expired = _load(ca, not_before=NOW - 9 * DAY, not_after=NOW - DAY)
    (problem,) = _problems({"TLS_SERVER": server, "TLS_HOST": "192.0.2.7"}, expired)
    assert "TLS_CERT" in problem
    (warning,) = _decide({"TLS_SERVER": server}, expired).warnings
    assert "expired" in str(warning)


@pytest.mark.parametrize("server", ["gunicorn", "uwsgi"])
def test_no_certificate_for_others(server: str) -> None:
    """A server of the public kind does not serve strangers on a development certificate."""
    (problem,) = _problems({"TLS_CERT": None, "TLS_SERVER": server, "TLS_HOST": "0.0.0.0"}, LoadedIdentity())  # noqa: S104
    assert "Set TLS_CERT and TLS_KEY" in problem


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.EADDRINUSE, "TLS_PORT in app.config (127.0.0.1:81): is taken"),
        (errno.EACCES, "TLS_PORT in app.config (127.0.0.1:81): is below 1024"),
        (errno.EADDRNOTAVAIL, "TLS_HOST (127.0.0.1): is not an address of this machine"),
        (errno.ENOBUFS, "cannot be bound: ENOBUFS"),
    ],
)
def test_a_port_that_cannot_be_bound(good: LoadedIdentity, number: int, says: str) -> None:
    """Each reason has its own remedy."""
    (problem,) = _problems({"TLS_PORT": 81}, good, bind_errnos={Endpoint(host="127.0.0.1", port=81): number})
    assert problem.startswith(says) or says in problem


def _hypercorn_with(good: LoadedIdentity, words: list[str], **settings: Any) -> Plan:
    listeners = find_listeners(words, Endpoint(host="127.0.0.1", port=5000), where="bind")
    server = dataclasses.replace(servers.load("hypercorn").probe(), http=("3", "2", "1.1"), missing=None)
    return _decide({"TLS_BIND": words, **settings}, good, server=server, listeners=listeners)


def test_http_3_is_spoken_at_one_endpoint(good: LoadedIdentity) -> None:
    """With several places it is left out, unless somebody asks for it: then it is an error."""
    assert _hypercorn_with(good, ["127.0.0.1:0"]).http == ("3", "2", "1.1")
    assert _hypercorn_with(good, ["127.0.0.1:0", "[::1]:0"]).http == ("2", "1.1")
    assert _hypercorn_with(good, ["unix:s"]).http == ("2", "1.1")
    with pytest.raises(ConfigurationError, match="HTTP/3 listens at one address and port"):
        _hypercorn_with(good, ["127.0.0.1:0", "[::1]:0"], TLS_HTTP="3, 2")


def test_what_systemd_opened_overlaps_as_it_likes(good: LoadedIdentity) -> None:
    """It listens there already; what we open beside it must not."""
    handed = [
        Listener(place=Endpoint(host="::", port=443), descriptor=3),
        Listener(place=Endpoint(host="127.0.0.1", port=443), descriptor=4),
    ]
    assert _decide({}, good, listeners=tuple(handed)).listeners == tuple(handed)
    ours = tuple(Listener(place=one.place) for one in handed)
    (problem,) = _problems({"TLS_BIND": ["[::]:443", "127.0.0.1:443"]}, good, listeners=ours)
    assert "are, in part, the same place" in problem


def test_http_3_is_not_spoken_at_sockets_of_systemd(good: LoadedIdentity) -> None:
    """It has a socket of its own: left out by itself, and an error where it is asked for and nobody says where."""
    server = dataclasses.replace(servers.load("hypercorn").probe(), http=("3", "2", "1.1"), missing=None)
    unix = (Listener(place=UnixSocket(path="/run/s"), descriptor=3),)
    assert _decide({}, good, server=server, listeners=unix).http == ("2", "1.1")
    (problem,) = _problems({"TLS_HTTP": "3, 2"}, good, server=server, listeners=unix)
    assert "HTTP/3 listens at one address and port" in problem


def test_ciphers(good: LoadedIdentity) -> None:
    """A list without a usable suite is an error, one with a weak suite a warning."""
    (problem,) = _problems({"TLS_CIPHERS": "NOPE"}, good, ciphers_usable=False)
    assert "'NOPE' names no TLS 1.2 cipher suite" in problem
    (warning,) = _decide({"TLS_CIPHERS": "AES128-SHA"}, good, weak_cipher="AES128-SHA").warnings
    assert "AES128-SHA" in str(warning)


@pytest.mark.parametrize("server", ["gunicorn", "uwsgi"])
def test_reloader_and_debugger(good: LoadedIdentity, server: str) -> None:
    """Asked for, they are refused outside the built-in server; debug mode alone does not ask for them."""
    config = {"TLS_SERVER": server}
    assert len(_problems(config, good, development=Development(reload=True, debugger=True))) == 2
    assert _decide(config, good, development=Development(debug=True)).server == server
    assert _decide({}, good, development=Development(debug=True)).development.reloads

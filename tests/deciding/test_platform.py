"""Behind a platform's edge: recognised by its environment alone, plain HTTP on purpose, the router trusted."""

from __future__ import annotations

import contextlib
import datetime
import errno
import http.client
import json
import sys
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import free_port
from tests.support.process import ROOT, Server, run
from tlsrun import servers
from tlsrun.deciding.default_identity import LoadedIdentity
from tlsrun.deciding.facts import Facts
from tlsrun.deciding.plan import Development, Plan, decide
from tlsrun.deciding.platform import find_platform, resolve_behind
from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError
from tlsrun.proxies.peers import read_peers
from tlsrun.settings.layers import Layer, environment_layer, flask_layer, keyword_layer


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Of the server."""

    status: int
    headers: Message
    body: bytes


DYNO = {"DYNO": "web.1", "PORT": "8123"}


def _decide(*layers: Layer, development: Development | None = None, **facts: Any) -> Plan | None:
    platform = find_platform(DYNO)
    assert platform is not None
    resolution = resolve_behind(platform, layers)
    if resolution is None:
        return None
    known = servers.probe_all()
    world = Facts(
        now=datetime.datetime.now(datetime.timezone.utc),
        server=known["gunicorn"],
        servers=known,
        loaded=LoadedIdentity(),
        peers=read_peers(resolution.settings.trusted_proxies, "here"),
        **facts,
    )
    return decide(resolution, world, framework="flask", platform=platform, development=development)


@pytest.mark.parametrize("environ", [{}, {"PORT": "80"}, {"DYNO": "web.1"}, {"DYNO": "", "PORT": "80"}])
def test_other_environments(environ: dict[str, str]) -> None:
    """A port alone makes no platform: whoever sets it may be reached by the whole world."""
    assert find_platform(environ) is None


def test_the_platforms_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """It wins over what the program says for other machines, and a person's word at the start wins over it."""
    said = [keyword_layer({"port": 8443, "host": "127.0.0.1"}, "app.run()"), flask_layer({"TLS_PORT": 443})]
    plan = _decide(*said)
    assert plan is not None
    assert plan.endpoint.authority == "0.0.0.0:8123"
    plan = _decide(environment_layer({"TLSRUN_PORT": "9000"}), *said)
    assert plan is not None
    assert plan.endpoint.port == 9000


def test_who_is_trusted() -> None:
    """The router, which comes from inside, or whoever FORWARDED_ALLOW_IPS names; its headers and no others."""
    plan = _decide(environment_layer({}))
    assert plan is not None
    assert "10.1.2.3" in plan.front.peers
    assert "192.0.2.1" not in plan.front.peers
    assert plan.front.headers == {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-port"}
    plan = _decide(environment_layer({"FORWARDED_ALLOW_IPS": "*"}), flask_layer({"TLS_PROXY": "cloudflare"}))
    assert plan is not None
    assert plan.front.peers.everybody
    assert "cf-connecting-ip" in plan.front.headers


def test_a_certificate_ends_it() -> None:
    """Who names a certificate wants TLS ended here; a made-up one is not wanted behind an edge."""
    assert _decide(flask_layer({"TLS_CERT": "fullchain.pem"})) is None
    assert _decide(flask_layer({"TLS_CERT": "adhoc"})) is not None


def test_what_cannot_be_served() -> None:
    """All of it at once: another server, client certificates that nobody would ask for, a port that is taken."""
    with pytest.raises(ConfigurationError) as raised:
        _decide(
            flask_layer({"TLS_SERVER": "granian", "TLS_CLIENT_CA": "ca.pem", "TLS_KEY": "key.pem"}),
            development=Development(reload=True),
            bind_errnos={Endpoint(host="0.0.0.0", port=5000): errno.EADDRINUSE},  # noqa: S104
        )
    words = "\n".join(map(str, raised.value.problems))
    for part in ("granian", "TLS_CLIENT_CA", "TLS_KEY", "reloader", "is taken"):
        assert part in words


def test_what_changes_nothing() -> None:
    """It is said, once."""
    plan = _decide(flask_layer({"TLS_PROFILE": "modern", "TLS_REDIRECT_PORT": 80, "TLS_HSTS": 60}))
    assert plan is not None
    (warning,) = plan.warnings
    assert "TLS_PROFILE" in warning.where
    assert "TLS_REDIRECT_PORT" in warning.where
    assert "TLS_HSTS" not in warning.where
    assert plan.front.hsts == 60


@pytest.mark.parametrize("framework", ["flask", "bottle"])
def test_a_dyno(framework: str, tmp_path: Path) -> None:
    """For real: the banner says what is served and why, the router is heard, plain clients are redirected once."""
    apps = ROOT / "tests" / "applications" / "proxied.py"
    port = free_port()
    name = {"flask": "app", "bottle": "web"}[framework]
    command = [sys.executable, "-m", "tlsrun", "run", f"{apps}:{name}"]
    env = {"DYNO": "web.1", "PORT": str(port), "WEB_CONCURRENCY": "2", "FORWARDED_ALLOW_IPS": "*",
           "TLSRUN_HSTS": "60", "TLSRUN_REDIRECT_EXEMPT": "/health"}  # fmt: skip
    with Server(command, env=env) as server:
        server.until_listening(("127.0.0.1", port))
        assert "Plain HTTP" in server.log()
        assert "on purpose: Heroku's edge ends TLS" in server.log()
        assert "2 workers" in server.log()
        told = {"Host": "shop.herokuapp.com", "X-Forwarded-For": "6.6.6.6, 192.0.2.7", "X-Forwarded-Port": "443"}
        seen = _ask(port, f"/{framework}", told | {"X-Forwarded-Proto": "https"})
        assert seen.headers.get("Strict-Transport-Security") == "max-age=60"
        said = json.loads(seen.body)
        assert (said["url"], said["address"]) == (f"https://shop.herokuapp.com/{framework}", "192.0.2.7")
        seen = _ask(port, f"/{framework}?a=b", told | {"X-Forwarded-Proto": "http", "X-Forwarded-Port": "80"})
        assert (seen.status, seen.headers.get("Location")) == (308, f"https://shop.herokuapp.com/{framework}?a=b")
        assert seen.headers.get("Strict-Transport-Security") is None
        assert _ask(port, "/health", told | {"X-Forwarded-Proto": "http"}).status == 404


def test_a_dyno_without_gunicorn(tmp_path: Path) -> None:
    """What is missing is said before anything starts."""
    apps = ROOT / "tests" / "applications" / "proxied.py"
    command = [sys.executable, "-m", "tlsrun", "run", f"{apps}:app", "--server", "builtin"]
    ended = run(command, env={"DYNO": "web.1", "PORT": str(free_port())})
    assert ended.returncode == 2
    assert "behind Heroku's edge" in ended.stderr


def _ask(port: int, path: str, headers: dict[str, str]) -> Answer:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return Answer(status=answer.status, headers=answer.headers, body=answer.read())

"""Which server: the one that is named, or the best that runs here and can do what is asked."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tlsrun import servers as registry
from tlsrun.deciding.choosing import Choice, ServerFacts, choose, honours, http_words, spoken
from tlsrun.errors import Problem
from tlsrun.settings.layers import flask_layer, resolve
from tlsrun.settings.mapping import Cell, Ours, Unsupported
from tlsrun.settings.table import SPECS, Settings

MISSING = Problem(where="TLS_SERVER", what="it is not installed", remedy="Install it")


def _server(name: str, *http: str, **cells: Cell) -> ServerFacts:
    mapping: dict[str, Cell] = {setting: Ours("") for setting in SPECS}
    rank = registry.load(name).facts.rank
    return ServerFacts(name=name, title=name, version="1", mapping={**mapping, **cells}, http=http, rank=rank)


SERVERS = {
    "builtin": _server("builtin", "1.1", workers=Unsupported("has one process", accepts=(1,))),
    "gunicorn": _server("gunicorn", "1.1"),
    "granian": _server("granian", "2", "1.1", sni=Unsupported("serves one certificate")),
    "hypercorn": _server("hypercorn", "3", "2", "1.1"),
}


def _without(*names: str) -> dict[str, ServerFacts]:
    return {
        name: dataclasses.replace(server, missing=MISSING) if name in names else server
        for name, server in SERVERS.items()
    }


def _choose(servers: dict[str, ServerFacts] = SERVERS, **config: Any) -> Choice:
    keys = {f"TLS_{name.upper()}": value for name, value in config.items()}
    return choose(resolve([flask_layer({"TLS_SERVER": "auto", **keys})]), servers)


def test_a_server_that_is_named_is_taken() -> None:
    """Nobody is asked why, and what it cannot do is said elsewhere."""
    choice = _choose(_without("gunicorn"), server="gunicorn", http="3")
    assert (choice.server.name, choice.because) == ("gunicorn", None)


@pytest.mark.parametrize(
    ("config", "missing", "name", "because"),
    [
        ({}, (), "granian", "it speaks HTTP/2 and HTTP/1.1"),
        ({"http": "2"}, (), "granian", "it speaks HTTP/2"),
        ({"http": "2"}, ("granian",), "hypercorn", "granian cannot run here; gunicorn speaks HTTP/1.1 only"),
        ({"http": ["3", "2", "1.1"]}, (), "hypercorn", "granian speaks HTTP/2 and HTTP/1.1 only"),
        ({"sni": "/certificates"}, (), "gunicorn", "granian cannot do what sni asks for"),
        ({}, ("granian",), "gunicorn", "it speaks HTTP/1.1; granian cannot run here"),
        ({}, ("granian", "gunicorn", "hypercorn"), "builtin", "gunicorn cannot run here"),
        ({"workers": 2}, ("granian", "gunicorn"), "hypercorn", "it speaks HTTP/3, HTTP/2 and HTTP/1.1"),
    ],
)
def test_auto_takes_the_best(config: dict[str, Any], missing: tuple[str, ...], name: str, because: str) -> None:
    """Installed, able to do all that was asked, the fastest of those; and it says why."""
    choice = _choose(_without(*missing), **config)
    assert choice.server.name == name
    assert because in str(choice.because)


def test_auto_where_none_fits() -> None:
    """The one that could if it were installed is taken, so that its installation is what the error asks for."""
    assert _choose(_without("hypercorn"), http="3").server.name == "hypercorn"
    assert _choose(_without("hypercorn"), http="3", sni="/x").server.missing is MISSING


def test_a_version_of_http_that_lacks_something() -> None:
    """By default it is left out when another setting needs what it lacks; asked for, it counts as a lack."""
    lacking = {"3": {"sni": Unsupported("serves one certificate", accepts=(None,))}}
    server = dataclasses.replace(SERVERS["hypercorn"], http_limits=lacking)
    assert spoken(Settings(), server) == ("3", "2", "1.1")
    assert spoken(Settings(sni="/x"), server) == ("2", "1.1")
    assert spoken(Settings(sni="/x", http=("3",)), server) == ("3",)
    assert _choose({**SERVERS, "hypercorn": server}, http="3", sni="/x").server.name == "granian"


def test_nothing_that_was_asked_for_is_dropped() -> None:
    """A setting is honoured unless the server's cell says otherwise, or a version of HTTP lacks."""
    assert honours(SERVERS["builtin"], "workers", 1)
    assert not honours(SERVERS["builtin"], "workers", 2)
    assert honours(SERVERS["granian"], "http", ("2",))
    assert not honours(SERVERS["granian"], "http", ("3", "2"))


def test_versions() -> None:
    """What was asked for, else all that the server does well."""
    assert spoken(Settings(), SERVERS["granian"]) == ("2", "1.1")
    assert spoken(Settings(http=("1.1",)), SERVERS["granian"]) == ("1.1",)
    assert http_words(("2", "1.1")) == "HTTP/2 and HTTP/1.1"

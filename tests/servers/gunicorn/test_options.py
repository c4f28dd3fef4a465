"""gunicorn's settings: what reaches it, and what is refused before anything starts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.applications.gunicorn import application
from tests.support.certs import Paths
from tests.support.clients import free_port
from tests.support.plans import make_plan
from tests.support.process import ROOT, run
from tlsrun.errors import ConfigurationError
from tlsrun.servers import gunicorn
from tlsrun.servers.gunicorn.options import names, read


def _settings(paths: Paths, **plan: Any) -> dict[str, Any]:
    return read(make_plan("gunicorn", paths.fullchain, paths.key, **plan))


def _launch(paths: Paths, options: dict[str, Any]) -> None:
    plan = make_plan("gunicorn", paths.fullchain, paths.key, port=free_port(), server_options=options)
    gunicorn.SERVER.launch(plan, application)


def _refusal(paths: Paths, **options: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        _launch(paths, options)
    return str(caught.value)


def test_defaults(localhost_cert: Paths) -> None:
    """gthread with four threads; nobody else says what the scheme was."""
    settings = _settings(localhost_cert, workers=3)
    assert (settings["worker_class"], settings["threads"], settings["workers"]) == ("gthread", 4, 3)
    assert settings["bind"] == ["127.0.0.1:8443"]
    assert settings["forwarded_allow_ips"] == ""
    assert settings["secure_scheme_headers"] == {}


def test_ipv6_is_bound_in_brackets(localhost_cert: Paths) -> None:
    """As gunicorn reads it."""
    assert _settings(localhost_cert, host="::1")["bind"] == ["[::1]:8443"]


def test_the_users_options_are_untouched(localhost_cert: Paths) -> None:
    """Also where they replace a default of ours."""
    options = {"max_requests": 7, "forwarded_allow_ips": "10.0.0.1", "accesslog": "-", "control_socket": "/x"}
    settings = _settings(localhost_cert, server_options=options)
    assert {name: settings[name] for name in options} == options
    assert settings["control_socket_disable"] is False


@pytest.mark.parametrize("name", ["sync", "gunicorn.workers.sync.SyncWorker"])
def test_sync_is_ours_too(localhost_cert: Paths, name: str) -> None:
    """Under either of its names, with one thread."""
    settings = _settings(localhost_cert, server_options={"worker_class": name})
    assert (settings["worker_class"], settings["threads"]) == ("sync", 1)


def test_sync_has_no_threads(localhost_cert: Paths) -> None:
    """gunicorn would silently use gthread."""
    with pytest.raises(ConfigurationError, match="answers one request at a time, and threads is 4"):
        _settings(localhost_cert, threads=4, server_options={"worker_class": "sync"})


@pytest.mark.parametrize("worker", ["gevent", "eventlet", "tornado", "my.Worker", 5])
def test_other_workers_are_refused(localhost_cert: Paths, worker: object) -> None:
    """Their handshakes would be their own."""
    assert f"{worker!r} is not possible" in _refusal(localhost_cert, worker_class=worker)


def test_unknown_options_are_refused_all_at_once(localhost_cert: Paths) -> None:
    """With what may have been meant."""
    text = _refusal(localhost_cert, max_request=5, **{"keep-alive": 3}, qqqqqq=1)
    assert "max_request: gunicorn has no such setting. Did you mean max_requests?" in text
    assert "keep-alive: gunicorn has no such setting. Did you mean keepalive?" in text
    assert "qqqqqq: gunicorn has no such setting. See docs.gunicorn.org" in text


def test_bad_values_are_refused_all_at_once(localhost_cert: Paths) -> None:
    """In gunicorn's words, with the option's name."""
    text = _refusal(localhost_cert, max_requests="many", loglevel=3, umask="many")
    assert "gunicorn's max_requests: gunicorn refuses it: " in text
    assert "gunicorn's loglevel: gunicorn refuses it: " in text
    assert "gunicorn's umask: gunicorn refuses it: " in text


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("user", "nobody", "Set TLS_USER (--user) instead"),
        ("certfile", "x.pem", "Set TLS_CERT (--cert) instead"),
        ("bind", "0.0.0.0:1", "Set TLS_BIND (--bind) instead"),
        ("ssl_context", None, "Set TLS_CONTEXT_HOOK"),
        ("workers", 3, "Set TLS_WORKERS"),
        ("reload", True, "Use the built-in server with --reload"),
        ("daemon", True, "Use a service manager"),
        ("http_protocols", "h2,h1", "use hypercorn"),
        ("proxy_protocol", "v1", "Leave it out"),
        ("config", "gunicorn.conf.py", "Put its contents into server_options"),
    ],
)
def test_what_fights_with_ours_is_refused(localhost_cert: Paths, name: str, value: object, remedy: str) -> None:
    """Never a silent drop: the reason, and what to do."""
    assert remedy in _refusal(localhost_cert, **{name: value})


def test_every_refused_name_exists(localhost_cert: Paths) -> None:
    """The lists are about the installed gunicorn."""
    from tlsrun.servers.gunicorn import options

    assert {*options._OURS, *options._MEANINGLESS, *options._PARTLY} <= names()


def test_a_runtime_error_of_gunicorn_is_no_traceback(localhost_cert: Paths, tmp_path: Path) -> None:
    """What gunicorn finds out only while it starts."""
    pidfile = tmp_path / "pid"
    pidfile.write_text("1\n")
    with pytest.raises(ConfigurationError, match="Already running on PID 1"):
        _launch(localhost_cert, {"pidfile": str(pidfile)})


def test_not_installed_is_said_with_the_command() -> None:
    """In an interpreter that finds no gunicorn; ours is named alike and does not stand in for it."""
    code = (
        "import importlib.metadata as m; original = m.version\n"
        "def version(name):\n"
        "    if name == 'gunicorn': raise m.PackageNotFoundError(name)\n"
        "    return original(name)\n"
        "m.version = version\n"
        "from tlsrun.servers import gunicorn; facts = gunicorn.SERVER.probe()\n"
        "import sys; print(facts.version, facts.missing, 'gunicorn' in sys.modules)\n"
    )
    done = run([sys.executable, "-c", code], cwd=ROOT)
    assert done.stdout == 'None gunicorn: it is not installed. Run: pip install "tlsrun[gunicorn]". False\n'


@pytest.mark.parametrize(("version", "is_missing"), [("23.0.0", True), ("25.0.0", False), ("27.0.0", False)])
def test_an_old_gunicorn_is_not_enough(monkeypatch: pytest.MonkeyPatch, version: str, is_missing: bool) -> None:
    """Its workers are made otherwise; the message names the ways that work."""
    monkeypatch.setattr("tlsrun.servers.server.version_of", lambda _: version)
    missing = gunicorn.SERVER.probe().missing
    assert (missing is not None) is is_missing
    assert missing is None or "it is version 23.0.0" in str(missing)
    assert missing is None or "tlsrun export gunicorn-conf" in str(missing)


def test_windows_has_no_gunicorn(monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs fork."""
    monkeypatch.setattr("tlsrun.servers.server.FORKS", False)
    assert "it needs fork(2)" in str(gunicorn.SERVER.probe().missing)

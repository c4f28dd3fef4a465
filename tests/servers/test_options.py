"""``server_options`` for the servers that take them through a table of ours: what a value may be, what is refused."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from tests.support.certs import Paths
from tests.support.plans import make_plan
from tests.support.servers import need
from tlsrun import servers
from tlsrun.errors import ConfigurationError

#: Server -> the versions of HTTP that it is asked for.
HTTP = {"granian": ("2", "1.1"), "hypercorn": ("3", "2", "1.1")}


def _read(server: str, cert: Paths, given: dict[str, Any]) -> dict[str, Any]:
    need(server)
    options = importlib.import_module(f"tlsrun.servers.{server}.options")
    plan = make_plan(server, cert.fullchain, cert.key, server_options=given, http=HTTP[server])
    read: dict[str, Any] = options.read(plan)
    return read


@pytest.mark.parametrize(
    ("server", "given", "name", "value"),
    [
        ("granian", {"backlog": "512"}, "backlog", 512),
        ("granian", {"log-access": "yes"}, "log_access", True),
        ("granian", {"--workers-kill-timeout": 9}, "workers_kill_timeout", 9),
        ("granian", {"static_path_mount": "/srv/static"}, "static_path_mount", [Path("/srv/static")]),
        ("granian", {"static_path_mount": ["/a", "/b"]}, "static_path_mount", [Path("/a"), Path("/b")]),
        ("granian", {"pid_file": "/run/site.pid"}, "pid_file", Path("/run/site.pid")),
        ("granian", {"log_level": "debug"}, "log_level", "debug"),
        ("granian", {"runtime_mode": "st"}, "runtime_mode", "st"),
        ("granian", {"runtime_mode": "auto"}, "runtime_mode", "mt"),
        ("hypercorn", {"backlog": "512"}, "backlog", 512),
        ("hypercorn", {"--keep-alive-timeout": "2.5"}, "keep_alive_timeout", 2.5),
        ("hypercorn", {"graceful-timeout": 9}, "graceful_timeout", 9.0),
        ("hypercorn", {"include_server_header": "no"}, "include_server_header", False),
        ("hypercorn", {"server_names": "a.test"}, "server_names", ["a.test"]),
        ("hypercorn", {"server_names": ["a.test", "b.test"]}, "server_names", ["a.test", "b.test"]),
        ("hypercorn", {"root_path": "/below/"}, "root_path", "/below"),
        ("hypercorn", {"worker_class": "asyncio"}, "worker_class", "asyncio"),
        ("hypercorn", {"logconfig_dict": '{"version": 1}'}, "logconfig_dict", {"version": 1}),
    ],
)
def test_values(server: str, localhost_cert: Paths, given: dict[str, Any], name: str, value: Any) -> None:
    """Text means what the Python value means; dashes are as good as underscores."""
    assert _read(server, localhost_cert, given)[name] == value


@pytest.mark.parametrize(
    ("server", "given", "says"),
    [
        ("granian", {"backlogg": 1}, "Granian has no such parameter. Did you mean backlog?"),
        ("granian", {"nonsense": 1}, "Granian has no such parameter. See `granian --help`"),
        ("granian", {"workers": 2}, "tlsrun sets it. Set TLS_WORKERS (--workers) instead"),
        ("granian", {"ssl-cert": "x"}, "tlsrun sets it. Set TLS_CERT (--cert) instead"),
        ("granian", {"reload": True}, "nothing is imported twice. Use the built-in server with --reload"),
        ("granian", {"interface": "asgi"}, "is WSGI here"),
        ("granian", {"uds": "/run/x"}, "Set TLS_BIND"),
        ("granian", {"backlog": "many"}, "'many' cannot be used"),
        ("granian", {"backlog": 1}, "Expected a whole number from 128"),
        ("granian", {"backlog": True}, "Expected a whole number from 128"),
        ("granian", {"blocking_threads_idle_timeout": 601}, "from 5 to 600"),
        ("granian", {"log_access": "perhaps"}, "Expected true or false"),
        ("granian", {"log_level": "loud"}, "'loud' cannot be used"),
        ("granian", {"http1_settings": "{"}, "Expected a mapping of its fields"),
        ("granian", {"http1_settings": {"no_such": 1}}, "no_such"),
        ("granian", {"static_path_mount": [1]}, "Expected a list, each a path"),
        ("granian", {"log_dictconfig": 1}, "Expected a mapping"),
        ("granian", {"metrics_address": 5}, "Expected text"),
        ("hypercorn", {"backlogg": 1}, "Hypercorn has no such option. Did you mean backlog?"),
        ("hypercorn", {"nonsense": 1}, "Hypercorn has no such option. See Hypercorn's documentation"),
        ("hypercorn", {"workers": 2}, "tlsrun sets it. Set TLS_WORKERS (--workers) instead"),
        ("hypercorn", {"certfile": "x"}, "tlsrun sets it. Set TLS_CERT (--cert) instead"),
        ("hypercorn", {"quic_bind": "x"}, "Set TLS_HTTP (--http) instead"),
        ("hypercorn", {"insecure_bind": "x"}, "without TLS. Set TLS_REDIRECT_PORT (--redirect-port) instead"),
        ("hypercorn", {"use_reloader": True}, "is for Hypercorn's own command only"),
        ("hypercorn", {"startup_timeout": 5}, "is for asynchronous applications"),
        ("hypercorn", {"backlog": "many"}, "Expected a whole number from 1"),
        ("hypercorn", {"backlog": True}, "Expected a whole number from 1"),
        ("hypercorn", {"backlog": 1.5}, "Expected a whole number from 1"),
        ("hypercorn", {"keep_alive_timeout": 0}, "Expected seconds, above 0"),
        ("hypercorn", {"include_date_header": "perhaps"}, "Expected true or false"),
        ("hypercorn", {"root_path": "below"}, "Expected a path that begins with /"),
        ("hypercorn", {"worker_class": "trio"}, "Expected asyncio or uvloop"),
        ("hypercorn", {"logconfig_dict": 1}, "Expected a mapping"),
        ("hypercorn", {"accesslog": 5}, "Expected text"),
    ],
)
def test_refusals(server: str, localhost_cert: Paths, given: dict[str, Any], says: str) -> None:
    """What was given, what is wrong with it, what to do."""
    with pytest.raises(ConfigurationError) as caught:
        _read(server, localhost_cert, given)
    (problem,) = caught.value.problems
    assert problem.where.startswith(f"server_options, {servers.load(server).facts.title}'s ")
    assert says in str(problem), problem


@pytest.mark.parametrize(
    ("server", "given"),
    [
        ("granian", {"workers": 2, "backlogg": 1, "reload": True}),
        ("hypercorn", {"workers": 2, "backlogg": 1, "daemon": True}),
    ],
)
def test_all_refusals_at_once(server: str, localhost_cert: Paths, given: dict[str, Any]) -> None:
    """Every option is looked at before anything is said."""
    with pytest.raises(ConfigurationError) as caught:
        _read(server, localhost_cert, given)
    assert len(caught.value.problems) == 3

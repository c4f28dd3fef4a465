"""``server_options`` for Granian: what there is, what is refused, and what a value may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.certs import Paths
from tests.support.servers import need
from tlsrun.certificates.identity import IdentitySources, Source, load_identity
from tlsrun.deciding.plan import Plan
from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError
from tlsrun.servers import granian
from tlsrun.tls.policy import Policy


@pytest.fixture(autouse=True)
def _granian() -> None:
    need("granian")


def _plan(cert: Paths, options: dict[str, Any], **more: Any) -> Plan:
    sources = IdentitySources(
        cert=Source(given_by="cert", path=cert.fullchain), key=Source(given_by="key", path=cert.key)
    )
    return Plan(
        server="granian", framework="wsgi", endpoint=Endpoint(host="127.0.0.1", port=8443), sources=sources,
        identity=load_identity(sources)[0], server_options=options,
        **{"policy": Policy(), "http": ("2", "1.1"), **more},
    )  # fmt: skip


def _parameters(cert: Paths, options: dict[str, Any], **more: Any) -> dict[str, Any]:
    from tlsrun.servers.granian.options import read

    return read(_plan(cert, options, **more))


def test_every_parameter_is_known() -> None:
    """What the installed Granian has is allowed or refused by name; a new one is noticed here."""
    from tlsrun.servers.granian import options

    assert granian.SERVER.option_names() == set(options._ALLOWED) | set(options._REFUSED)


def test_ours(localhost_cert: Paths) -> None:
    """What follows from the plan."""
    ours = _parameters(localhost_cert, {}, threads=7, workers=3)
    assert (ours["workers"], ours["blocking_threads"], ours["port"]) == (3, 7, 8443)
    assert (str(ours["http"]), str(ours["ssl_protocol_min"]), str(ours["interface"])) == ("auto", "tls1.2", "wsgi")
    assert ours["respawn_failed_workers"] is True
    assert _parameters(localhost_cert, {})["blocking_threads"] == 4
    assert str(_parameters(localhost_cert, {}, policy=Policy(min_version="1.3"))["ssl_protocol_min"]) == "tls1.3"
    assert str(_parameters(localhost_cert, {}, http=("2",))["http"]) == "2"
    assert str(_parameters(localhost_cert, {}, http=("1.1",))["http"]) == "1"
    assert str(_parameters(localhost_cert, {}, quiet=True)["log_level"].value) == "warning"


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ({"backlog": "512"}, "backlog", 512),
        ({"log-access": "yes"}, "log_access", True),
        ({"--workers-kill-timeout": 9}, "workers_kill_timeout", 9),
        ({"static_path_mount": "/srv/static"}, "static_path_mount", [Path("/srv/static")]),
        ({"static_path_mount": ["/a", "/b"]}, "static_path_mount", [Path("/a"), Path("/b")]),
        ({"pid_file": "/run/site.pid"}, "pid_file", Path("/run/site.pid")),
        ({"log_level": "debug"}, "log_level", "debug"),
        ({"runtime_mode": "st"}, "runtime_mode", "st"),
        ({"runtime_mode": "auto"}, "runtime_mode", "mt"),
    ],
)
def test_values(localhost_cert: Paths, given: dict[str, Any], name: str, value: Any) -> None:
    """Text means what the Python value means; dashes are as good as underscores."""
    assert _parameters(localhost_cert, given)[name] == value


def test_settings_of_both_versions(localhost_cert: Paths) -> None:
    """A mapping, or JSON, becomes Granian's own object."""
    given = {"http1_settings": '{"keep_alive": false}', "http2_settings": {"max_concurrent_streams": 50}}
    parameters = _parameters(localhost_cert, given)
    assert parameters["http1_settings"].keep_alive is False
    assert parameters["http2_settings"].max_concurrent_streams == 50


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"backlogg": 1}, "Granian has no such parameter. Did you mean backlog?"),
        ({"nonsense": 1}, "Granian has no such parameter. See `granian --help`"),
        ({"workers": 2}, "tlsrun sets it. Set TLS_WORKERS (--workers) instead"),
        ({"ssl-cert": "x"}, "tlsrun sets it. Set TLS_CERT (--cert) instead"),
        ({"reload": True}, "nothing is imported twice. Use the built-in server with --reload"),
        ({"interface": "asgi"}, "is WSGI here"),
        ({"uds": "/run/x"}, "Set TLS_BIND"),
        ({"backlog": "many"}, "'many' cannot be used"),
        ({"backlog": 1}, "Expected a whole number from 128"),
        ({"backlog": True}, "Expected a whole number from 128"),
        ({"blocking_threads_idle_timeout": 601}, "from 5 to 600"),
        ({"log_access": "perhaps"}, "Expected true or false"),
        ({"log_level": "loud"}, "'loud' cannot be used"),
        ({"http1_settings": "{"}, "Expected a mapping of its fields"),
        ({"http1_settings": {"no_such": 1}}, "no_such"),
        ({"static_path_mount": [1]}, "Expected a list, each a path"),
        ({"log_dictconfig": 1}, "Expected a mapping"),
        ({"metrics_address": 5}, "Expected text"),
    ],
)
def test_refusals(localhost_cert: Paths, given: dict[str, Any], says: str) -> None:
    """What was given, what is wrong with it, what to do."""
    with pytest.raises(ConfigurationError) as caught:
        _parameters(localhost_cert, given)
    (problem,) = caught.value.problems
    assert problem.where.startswith("server_options, Granian's ")
    assert says in str(problem), problem


def test_all_refusals_at_once(localhost_cert: Paths) -> None:
    """Every option is looked at before anything is said."""
    with pytest.raises(ConfigurationError) as caught:
        _parameters(localhost_cert, {"workers": 2, "backlogg": 1, "reload": True})
    assert len(caught.value.problems) == 3

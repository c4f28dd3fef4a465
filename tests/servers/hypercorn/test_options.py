"""``server_options`` for Hypercorn: what there is, what is refused, and what a value may be."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.certs import Paths
from tests.support.servers import need
from tlsrun.certificates.identity import IdentitySources, Source, load_identity
from tlsrun.deciding.plan import Plan
from tlsrun.endpoint import Endpoint
from tlsrun.errors import ConfigurationError
from tlsrun.servers import hypercorn
from tlsrun.tls.policy import Policy


@pytest.fixture(autouse=True)
def _hypercorn() -> None:
    need("hypercorn")


def _options(cert: Paths, given: dict[str, Any], **more: Any) -> dict[str, Any]:
    from tlsrun.servers.hypercorn.options import read

    sources = IdentitySources(
        cert=Source(given_by="cert", path=cert.fullchain), key=Source(given_by="key", path=cert.key)
    )
    plan = Plan(
        server="hypercorn", framework="wsgi", endpoint=Endpoint(host="127.0.0.1", port=8443), sources=sources,
        identity=load_identity(sources)[0], server_options=given, policy=Policy(), http=("3", "2", "1.1"), **more,
    )  # fmt: skip
    return read(plan)


def test_every_option_is_known() -> None:
    """What the installed Hypercorn has is allowed or refused by name; a new one is noticed here."""
    from tlsrun.servers.hypercorn import options

    found = hypercorn.SERVER.option_names() - {"log", "ssl_enabled"}  # made from the others
    unseen = {"application_path", "logger_class"}  # a declaration without a value, and a class
    assert found == (set(options._ALLOWED) | set(options._REFUSED)) - unseen


def test_ours(localhost_cert: Paths) -> None:
    """What is different here by default."""
    ours = _options(localhost_cert, {})
    assert (ours["loglevel"], ours["graceful_timeout"], ours["keep_alive_timeout"]) == ("INFO", 30, 15)
    assert _options(localhost_cert, {}, quiet=True)["loglevel"] == "WARNING"


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ({"backlog": "512"}, "backlog", 512),
        ({"--keep-alive-timeout": "2.5"}, "keep_alive_timeout", 2.5),
        ({"graceful-timeout": 9}, "graceful_timeout", 9.0),
        ({"include_server_header": "no"}, "include_server_header", False),
        ({"server_names": "a.test"}, "server_names", ["a.test"]),
        ({"server_names": ["a.test", "b.test"]}, "server_names", ["a.test", "b.test"]),
        ({"root_path": "/below/"}, "root_path", "/below"),
        ({"worker_class": "asyncio"}, "worker_class", "asyncio"),
        ({"logconfig_dict": '{"version": 1}'}, "logconfig_dict", {"version": 1}),
    ],
)
def test_values(localhost_cert: Paths, given: dict[str, Any], name: str, value: Any) -> None:
    """Text means what the Python value means; dashes are as good as underscores."""
    assert _options(localhost_cert, given)[name] == value


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"backlogg": 1}, "Hypercorn has no such option. Did you mean backlog?"),
        ({"nonsense": 1}, "Hypercorn has no such option. See Hypercorn's documentation"),
        ({"workers": 2}, "tlsrun sets it. Set TLS_WORKERS (--workers) instead"),
        ({"certfile": "x"}, "tlsrun sets it. Set TLS_CERT (--cert) instead"),
        ({"quic_bind": "x"}, "Set TLS_HTTP (--http) instead"),
        ({"insecure_bind": "x"}, "without TLS. Set TLS_REDIRECT_PORT (--redirect-port) instead"),
        ({"use_reloader": True}, "is for Hypercorn's own command only"),
        ({"startup_timeout": 5}, "is for asynchronous applications"),
        ({"backlog": "many"}, "Expected a whole number from 1"),
        ({"backlog": True}, "Expected a whole number from 1"),
        ({"backlog": 1.5}, "Expected a whole number from 1"),
        ({"keep_alive_timeout": 0}, "Expected seconds, above 0"),
        ({"include_date_header": "perhaps"}, "Expected true or false"),
        ({"root_path": "below"}, "Expected a path that begins with /"),
        ({"worker_class": "trio"}, "Expected asyncio or uvloop"),
        ({"logconfig_dict": 1}, "Expected a mapping"),
        ({"accesslog": 5}, "Expected text"),
    ],
)
def test_refusals(localhost_cert: Paths, given: dict[str, Any], says: str) -> None:
    """What was given, what is wrong with it, what to do."""
    with pytest.raises(ConfigurationError) as caught:
        _options(localhost_cert, given)
    (problem,) = caught.value.problems
    assert problem.where.startswith("server_options, Hypercorn's ")
    assert says in str(problem), problem


def test_all_refusals_at_once(localhost_cert: Paths) -> None:
    """Every option is looked at before anything is said."""
    with pytest.raises(ConfigurationError) as caught:
        _options(localhost_cert, {"workers": 2, "backlogg": 1, "daemon": True})
    assert len(caught.value.problems) == 3

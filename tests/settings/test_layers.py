"""How layers are read and merged."""

from __future__ import annotations

from typing import Any

import bottle
import pytest

from tlsrun.settings.layers import bottle_layer, default_layer, environment_layer, flask_layer, keyword_layer, resolve
from tlsrun.settings.table import DEFAULTS


def test_the_strongest_layer_wins_and_is_named() -> None:
    """Keyword over environment over app config over default; the origin says how it was spelled."""
    resolution = resolve(
        [
            keyword_layer({"port": 1111}, "app.run()"),
            environment_layer({"TLSRUN_PORT": "2222", "TLSRUN_WORKERS": "3"}),
            flask_layer({"TLS_PORT": 3333, "TLS_WORKERS": 4, "TLS_CERT": "a.pem"}),
        ]
    )
    assert (resolution.settings.port, resolution.settings.workers, resolution.settings.cert) == (1111, 3, "a.pem")
    assert resolution.settings.host == DEFAULTS.host
    assert resolution.spelling("port") == "port= in app.run()"
    assert resolution.spelling("workers") == "TLSRUN_WORKERS in the environment"
    assert resolution.spelling("cert") == "TLS_CERT in app.config"
    assert not resolution.is_given("host")


def test_a_frameworks_default_is_no_origin() -> None:
    """Bottle's port 8080 yields to every setting and counts as not given."""
    default = default_layer({"port": 8080}, "bottle.run()")
    assert resolve([default]).settings.port == 8080
    assert not resolve([default]).is_given("port")
    assert resolve([flask_layer({"TLS_PORT": 1}), default]).settings.port == 1


def test_none_is_not_given() -> None:
    """TLS_CERT = None in a base configuration leaves the default."""
    assert not resolve([flask_layer({"TLS_CERT": None}), bottle_layer({"tls.key": None})]).origins
    assert not resolve([environment_layer({"TLSRUN_CERT": ""})]).origins


def test_an_empty_value_in_app_config_is_a_problem() -> None:
    """An empty path is a mistake, and does not fall back to a development certificate unnoticed."""
    (problem,) = resolve([flask_layer({"TLS_CERT": ""})]).problems
    assert "TLS_CERT in app.config" in str(problem)


def test_all_problems_at_once() -> None:
    """Each wrong value and each unknown key is named, with its spelling and what would do."""
    resolution = resolve(
        [
            environment_layer({"TLSRUN_PORT": "80x"}),
            flask_layer({"TLS_CRET": "a", "TLS_SERVER": "apache", "TLS_MIN_VERSION": "1.0"}),
        ]
    )
    said = "\n".join(map(str, resolution.problems))
    assert "TLSRUN_PORT in the environment: '80x' cannot be used. Expected a whole number from 0 to 65535" in said
    assert "TLS_CRET in app.config: no such setting. Did you mean TLS_CERT?" in said
    assert "TLS_SERVER in app.config: 'apache' cannot be used. Expected one of builtin, gunicorn, uwsgi" in said
    assert "TLS_MIN_VERSION in app.config: '1.0' cannot be used. Expected 1.2 or 1.3" in said


def test_a_secret_is_never_shown() -> None:
    """Neither a password nor a key that stands where it cannot be used appears in a message."""
    given: dict[str, Any] = {"TLS_KEY_PASSWORD": 5, "TLS_PORT": "-----BEGIN PRIVATE KEY-----abc"}
    resolution = resolve([flask_layer(given)])
    assert len(resolution.problems) == 2
    assert "abc" not in str(resolution) + "".join(map(str, resolution.problems))
    assert "hunter2" not in repr(flask_layer({"TLS_KEY_PASSWORD": "hunter2"}))


def test_an_unknown_variable_is_a_warning_where_it_looks_like_a_slip() -> None:
    """The environment is shared with other programs, so only a near miss is worth a word."""
    slips = {"TLSRUN_CRT": "a", "TLSRUN_CERTIFICATE": "a", "TLSRUN_HOSTNAME": "b", "TLSRUN_WORKER": "2"}
    others = {
        "TLSRUN_SOMETHING_ELSE": "b",
        "TLSRUN_APP": "hello:app",
        "TLSRUN_TEST_UWSGI_SSL": "c",
        "TLSRUN_DATABASE_URL": "",
    }
    resolution = resolve([environment_layer(slips | others)])
    assert not resolution.problems
    assert [str(warning) for warning in resolution.warnings] == [
        f"{name} in the environment: no such setting. Did you mean {meant}?"
        for name, meant in (
            ("TLSRUN_CERTIFICATE", "TLSRUN_CERT"), ("TLSRUN_CRT", "TLSRUN_CERT"), ("TLSRUN_HOSTNAME", "TLSRUN_HOST"),
            ("TLSRUN_WORKER", "TLSRUN_WORKERS"),
        )
    ]  # fmt: skip


def test_bottle_spellings(tmp_path: Any) -> None:
    """An ini file with a section [tls], nested dictionaries, and Flask's keys all reach the same settings."""
    ini = tmp_path / "app.ini"
    ini.write_text("[tls]\ncert = a.pem\nserver_options.max_requests = 5\n[bottle]\nTLS_PORT = 8443\n")
    config = bottle.ConfigDict()
    config.load_config(str(ini))
    config.load_dict({"tls": {"key": "b.pem", "server_options": {"timeout": 9}}})
    config["TLS_WORKERS"] = 2
    settings = resolve([bottle_layer(config)]).settings
    assert (settings.cert, settings.key, settings.port, settings.workers) == ("a.pem", "b.pem", 8443, 2)
    assert settings.server_options == {"max_requests": "5", "timeout": 9}


def test_bottle_unknown_key() -> None:
    """A slip in Bottle's configuration is named as it was written."""
    (problem,) = bottle_layer({"tls.certt": "x", "catchall": True}).problems
    assert str(problem).startswith("tls.certt in app.config: no such setting. Did you mean tls.cert?")


@pytest.mark.parametrize(("keyword", "name"), [("certfile", "cert"), ("keyfile", "key"), ("chainfile", "chain")])
def test_names_of_bottles_own_adapters(keyword: str, name: str) -> None:
    """What Bottle's own adapters call them works as well."""
    assert getattr(resolve([keyword_layer({keyword: "x.pem"}, "bottle.run()")]).settings, name) in ("x.pem", ("x.pem",))

"""``server_options`` for uWSGI: handed over untouched, or refused before anything is started."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.servers.uwsgi.site import serving
from tests.support.certs import Paths
from tests.support.clients import free_port
from tests.support.process import APPLICATIONS, ROOT, Server, run
from tests.support.servers import need
from tlsrun.errors import ConfigurationError
from tlsrun.servers.uwsgi.command import number
from tlsrun.servers.uwsgi.options import has_ssl, names, user_options


@pytest.fixture(autouse=True)
def _installed() -> None:
    need("uwsgi")


def refused(**options: Any) -> str:
    """What is said of ``options``."""
    with pytest.raises(ConfigurationError) as raised:
        user_options(options, names(), {})
    return str(raised.value)


def test_the_installed_uwsgi_is_asked() -> None:
    """Its options are known; PyPI's wheel has no TLS of its own."""
    assert {"harakiri", "max-requests", "mule", "safe-fd", "pivot_root"} <= names()
    assert has_ssl() == ("https" in names())


def test_asking_does_not_import_it() -> None:
    """It remembers the command line of the process that imports it, and can run but once."""
    code = (
        "import sys; from tlsrun.servers import uwsgi\n"
        "uwsgi.SERVER.probe(); uwsgi.SERVER.option_names(); print('pyuwsgi' in sys.modules)"
    )
    done = run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT)})
    assert done.stdout.strip() == "False", done.stderr


def test_names_may_be_spelled_with_underscores() -> None:
    """``max_requests`` is ``max-requests``; a name that uWSGI has with an underscore stays."""
    options = {"max_requests": 5, "harakiri": 30, "pivot_root": "a b", "enable_threads": True}
    expected = {"max-requests": 5, "harakiri": 30, "pivot_root": "a b", "enable-threads": True}
    assert user_options(options, names(), {}) == expected


def test_a_misspelled_option_is_refused() -> None:
    """All of them at once, with what may have been meant."""
    said = refused(harakirri=30, **{"max-request": 5})
    assert "Did you mean harakiri?" in said
    assert "Did you mean max-requests?" in said


@pytest.mark.parametrize(
    ("option", "instead"),
    [
        ("https", "TLS_CERT"),
        ("https_socket", "TLS_CERT"),
        ("ssl-option", "TLS_CERT"),
        ("http", "TLS_BIND"),
        ("http11-socket", "TLS_BIND"),
        ("socket", "TLS_BIND"),
        ("shared-socket", "TLS_BIND"),
        ("processes", "TLS_WORKERS"),
        ("threads", "TLS_THREADS"),
        ("module", "Leave it out"),
        ("wsgi-file", "Leave it out"),
        ("lazy-apps", "Leave it out"),
        ("mule", "Leave it out"),
        ("ini", "server_options"),
        ("set", "Give that option itself"),
        ("daemonize", "systemd"),
        ("master-fifo", "SIGHUP"),
    ],
)
def test_what_fights_with_ours_is_refused(option: str, instead: str) -> None:
    """With the setting that does it."""
    said = refused(**{option: "x"})
    assert said.startswith(f"server_options, uWSGI's {option.replace('_', '-')}: ")
    assert instead in said


def test_values_that_no_command_line_takes_are_refused() -> None:
    """Only text, numbers, flags and lists of them."""
    assert "cannot stand on a command line" in refused(route={"a": 1})
    assert "must be on" in refused(enable_threads=False)
    with pytest.raises(ConfigurationError, match="'soon' is no whole number"):
        number({"worker-reload-mercy": "soon"}, "worker-reload-mercy")


def test_the_environment_is_checked_too() -> None:
    """uWSGI takes each UWSGI_NAME for an option; what it sets for itself is let through."""
    environ = {"UWSGI_INI": "/app/uwsgi.ini", "UWSGI_NOPE": "1", "UWSGI_HARAKIRI": "3", "UWSGI_RELOADS": "1"}
    with pytest.raises(ConfigurationError) as raised:
        user_options({}, names(), environ)
    said = str(raised.value).splitlines()
    assert len(said) == 2
    assert said[0].startswith("UWSGI_INI in the environment: names a file of options")
    assert "Unset it" in said[0]
    assert said[1].startswith("UWSGI_NOPE in the environment: uWSGI has no such option")


def test_they_reach_uwsgi(localhost_cert: Paths, ca_file: Path) -> None:
    """A value, a repeated option and a format; a request over its time limit is a 502 in words."""
    options = {
        "harakiri": 1,
        "route": ["^/ addvar:FIRST=1", "^/ addvar:SECOND=2"],
        "log-format": "asked for %(uri) by %(addr)",
    }
    with serving(localhost_cert, ca_file, server_options=options) as site:
        seen = site.get("/a")["environ"]
        assert (seen["FIRST"], seen["SECOND"]) == ("1", "2")
        site.server.until_logged("asked for /a by 127.0.0.1")
        answer = site.ask("/slow/20")
        assert answer.status == 502
        assert b"Bad Gateway" in answer.body
        assert site.get()


def test_requests_are_not_logged_unasked(localhost_cert: Paths, ca_file: Path) -> None:
    """uWSGI's own request log is off by default, and on when ``disable-logging`` is taken away."""
    for options, logged in (({}, False), ({"disable_logging": False}, True)):
        with serving(localhost_cert, ca_file, server_options=options) as site:
            site.get("/a-page")
            site.server.signal(signal.SIGTERM)
            site.server.wait()
            assert ("/a-page" in site.server.log()) == logged


def test_nothing_is_started(localhost_cert: Paths) -> None:
    """One line for each problem, an exit code, no traceback."""
    port = free_port()
    command = [
        sys.executable, "-m", "tlsrun", "run", "hello:app", "--server", "uwsgi", "--port", str(port),
        "--cert", localhost_cert.fullchain, "--key", localhost_cert.key, "--server-options", "http=:80",
    ]  # fmt: skip
    env = {"CELL_IMPORTS": "/dev/null", "PYTHONPATH": str(ROOT)}
    with Server(command, cwd=APPLICATIONS / "wsgi_file", env=env) as server:
        assert server.wait() == 2
        assert "uWSGI's http: tlsrun makes the sockets" in server.log()
        assert "Traceback" not in server.log()

"""`tlsrun check` and `flask tls check`: what they print, and how they end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.certs import DAY, NOW, Authority, Paths
from tests.support.clients import free_port
from tests.support.process import run

HELLO = """\
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "0")])
    return []
"""
FLASK = """\
from flask import Flask
app = Flask(__name__)
app.config["TLS_PORT"] = {port}
"""


def check(folder: Path, *words: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `tlsrun check`."""
    return run([sys.executable, "-m", "tlsrun", "check", *words], cwd=folder, env=env)


def good(cert: Paths, *more: str | Path) -> list[str | Path]:
    """Flags for a pair, and a port where nothing listens."""
    return ["--cert", cert.fullchain, "--key", cert.key, "--port", str(free_port()), *more]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a WSGI application."""
    (tmp_path / "hello.py").write_text(HELLO)
    return tmp_path


def test_a_report_for_people(project: Path, localhost_cert: Paths, ca_file: Path) -> None:
    """Code, what was seen, why it matters, how to fix it; settings with who set them; a grade."""
    (project / "key.pem").write_bytes(localhost_cert.pair.key_pem)
    ended = check(project, "hello:app", "--cert", "gone.pem", "--key", "key.pem", "--port", str(free_port()))
    assert ended.returncode == 2
    assert ended.stderr == ""
    for words in (
        "error   TLS101",
        "gone.pem",
        "    why   ",
        "    fix   ",
        "(command line: --cert)",
        "Grade: ",
        "1 error,",
    ):
        assert words in ended.stdout, ended.stdout


def test_exit_codes(project: Path, ca: Authority, ca_file: Path) -> None:
    """0 with warnings, 1 with them and --strict, 2 with an error."""
    soon = ca.leaf(not_before=NOW - 80 * DAY, not_after=NOW + 10 * DAY).write(project / "soon")
    flags = good(soon, "--ca", ca_file)
    assert check(project, "hello:app", *flags).returncode == 0
    assert check(project, "hello:app", *flags, "--strict").returncode == 1
    assert check(project, "hello:app", *flags, "--strict", "--expires-within", "9d").returncode == 0
    assert check(project, "hello:app", *flags, "--profile", "ancient").returncode == 2


def test_json(project: Path, localhost_cert: Paths, ca_file: Path) -> None:
    """One object: findings, settings, server, grade, and the exit code."""
    ended = check(project, "hello:app", *good(localhost_cert, "--ca", ca_file), "--json")
    report = json.loads(ended.stdout)
    assert report["application"] == "hello:app"
    assert report["server"]["name"] == "builtin"
    assert report["settings"]["cert"]["origin"] == "command line: --cert"
    assert report["grade"]["letter"] == "A"
    assert report["grade"]["measured"] == "settings"
    assert report["exit_code"] == ended.returncode == 0
    assert report["counts"] == {"error": 0, "warning": 0, "info": len(report["findings"])}
    finding = report["findings"][0]
    assert set(finding) == {"code", "slug", "severity", "phase", "title", "where", "what", "why", "remedy"}


def test_environment(project: Path, localhost_cert: Paths) -> None:
    """Settings come from where a server would take them."""
    ended = check(project, "hello:app", "--port", str(free_port()), env={"TLSRUN_CERT": "gone.pem"})
    assert "TLSRUN_CERT in the environment" in ended.stdout


def test_without_a_name(project: Path) -> None:
    """wsgi.py and app.py are found; without them the rest is checked."""
    assert "TLS514" in check(project, "--port", str(free_port())).stdout
    (project / "wsgi.py").write_text("from hello import app as application\n")
    assert "wsgi:application" in check(project, "--port", str(free_port())).stdout


def test_nothing_is_written(project: Path, home: Path) -> None:
    """No certificate authority, no file at all."""
    check(project, "hello:app", "--port", str(free_port()), env={"PYTHONDONTWRITEBYTECODE": "1"})
    assert [path.name for path in project.iterdir()] == ["hello.py"]
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_list_and_explain(project: Path) -> None:
    """The reference, at the terminal."""
    listed = check(project, "--list")
    assert "| [TLS111](TLS111.md) | key-mismatch | error |" in listed.stdout
    explained = check(project, "--explain", "tls111")
    assert explained.stdout.startswith("# TLS111: ")
    assert check(project, "--explain", "key-mismatch").stdout == explained.stdout
    unknown = check(project, "--explain", "TLS999")
    assert unknown.returncode == 2
    assert "--list" in unknown.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--url", "http://example.org"], "no https URL"),
        (["--url", "https://example.org:x"], "no https URL"),
        (["--ca", "gone.pem"], "--ca: the file"),
        (["--expires-within", "soon"], "no length of time"),
    ],
)
def test_bad_words(words: list[str], says: str, project: Path) -> None:
    """One line, code 2, no traceback."""
    ended = check(project, *words)
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.returncode == 2


def test_help_begins_with_examples() -> None:
    """The first thing after the usage line are commands to copy."""
    ended = run([sys.executable, "-m", "tlsrun", "check", "--help"])
    text = ended.stdout.split("\n\n")
    assert "tlsrun check hello:app" in text[2]


def flask(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `flask --app …`, the group given by hand, for it may not be installed."""
    program = (
        "from flask.cli import cli; from flask_tlsrun.tls_group import tls_group; "
        "cli.add_command(tls_group); cli(prog_name='flask')"
    )
    return run([sys.executable, "-c", program, *words], cwd=folder)


def test_flask_tls_check(tmp_path: Path) -> None:
    """Flask's way to name the application, its configuration, and what `flask tlsrun` does to it."""
    port = free_port()
    (tmp_path / "shop.py").write_text(FLASK.format(port=port) + "app.secret_key = 'not a real one'\n")
    ended = flask(tmp_path, "--app", "shop", "tls", "check", "--json")
    report = json.loads(ended.stdout)
    assert report["application"] == "shop:app"
    assert report["settings"]["port"] == {"value": str(port), "origin": "app config: TLS_PORT in app.config"}
    assert "TLS510" not in {one["code"] for one in report["findings"]}
    assert ended.returncode == 0, ended.stdout


def test_flask_factory(tmp_path: Path) -> None:
    """A factory, with arguments."""
    text = FLASK.format(port=free_port()).replace("app = Flask", "def create_app(name):\n    app = Flask")
    text = text.replace("\napp.config", "\n    app.config") + "    return app\n"
    (tmp_path / "shop.py").write_text(text)
    ended = flask(tmp_path, "--app", "shop:create_app('x')", "tls", "check")
    assert "shop:create_app('x') on" in ended.stdout
    assert ended.returncode == 0


def test_flask_help() -> None:
    """The group and the command begin with examples."""
    for words in (["tls", "--help"], ["tls", "check", "--help"]):
        assert "flask tls check" in flask(Path.cwd(), *words).stdout.split("\n\n")[2]

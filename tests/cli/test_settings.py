"""`tlsrun settings`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.process import run
from tlsrun.settings.reference import settings_reference

HELLO = """\
from flask import Flask
app = Flask(__name__)
app.config["TLS_CERT"] = "fullchain.pem"
app.config["TLS_KEY_PASSWORD"] = "hunter2"
"""


def test_show_says_value_and_origin(tmp_path: Path) -> None:
    """Command line, environment, app config and default are told apart; a secret is hidden."""
    (tmp_path / "hello.py").write_text(HELLO)
    shown = run(
        [sys.executable, "-m", "tlsrun", "settings", "show", "hello:app", "--port", "8443"],
        cwd=tmp_path,
        env={"TLSRUN_WORKERS": "1"},
    )
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in shown.stdout.splitlines()}
    assert lines["port"] == "8443 command line: --port"
    assert lines["workers"] == "1 environment: TLSRUN_WORKERS in the environment"
    assert lines["cert"] == "fullchain.pem app config: TLS_CERT in app.config"
    assert lines["key_password"] == "(hidden) app config: TLS_KEY_PASSWORD in app.config"  # noqa: S105 -- shown, not used
    assert lines["host"] == "127.0.0.1 default"
    assert shown.returncode == 0


def test_show_says_what_is_wrong(tmp_path: Path) -> None:
    """A wrong value is said here too, and the exit code is not 0."""
    shown = run([sys.executable, "-m", "tlsrun", "settings", "show", "--port", "x"], cwd=tmp_path)
    assert "Error: --port: 'x' cannot be used" in shown.stderr
    assert shown.returncode == 2


def test_table_is_the_reference() -> None:
    """`tlsrun settings table` prints the page of the reference."""
    assert run([sys.executable, "-m", "tlsrun", "settings", "table"]).stdout == settings_reference()

"""What `flask` imports of this package for commands that are not ours, and what it knows of ours all the same."""

from __future__ import annotations

import json
import sys

import pytest

from tests.support.process import run

#: `flask --help` in this process, and then what was imported for it.
HELP = """\
import json, sys
from flask.cli import cli
cli.main(["--help"], standalone_mode=False)
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def test_other_commands_pay_nothing() -> None:
    """`flask --help` lists both commands, and imports neither the extension, nor the core, nor cryptography."""
    done = run([sys.executable, "-c", HELP])
    assert done.returncode == 0, done.stderr
    assert "Serve the application over HTTPS." in done.stdout
    assert "Certificates: check, make, look at, trust." in done.stdout
    imported = json.loads(done.stderr.splitlines()[-1])
    ours = {name for name in imported if name.partition(".")[0] in ("flask_tlsrun", "tlsrun", "cryptography")}
    assert ours == {"flask_tlsrun", "flask_tlsrun.plugins"}


@pytest.mark.parametrize(
    ("typed", "completed"),
    [("flask tlsrun --server-", "--server-options"), ("flask tls che", "check"), ("flask tls", "tlsrun")],
)
def test_completion_reaches_the_command_itself(typed: str, completed: str) -> None:
    """Flags of `flask tlsrun` and commands of `flask tls`, as the shell asks for them."""
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1), "_FLASK_COMPLETE": "bash_complete"}
    done = run([sys.executable, "-c", "from flask.cli import cli; cli.main(prog_name='flask')"], env=words)
    assert f"plain,{completed}" in done.stdout.splitlines(), done.stderr


def test_an_unknown_name_is_no_attribute() -> None:
    """The package's lazy names are its three, and a mistake reads as in any module."""
    done = run([sys.executable, "-c", "from flask_tlsrun import TLSRun, require_client_cert, tls, tlrsun"])
    assert "cannot import name 'tlrsun' from 'flask_tlsrun'" in done.stderr

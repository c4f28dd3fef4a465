"""A server's options that it has not, or cannot take: one line before anything is said or started, exit code 2."""

from __future__ import annotations

import sys

import pytest

from tests.support.certs import Paths
from tests.support.clients import free_port
from tests.support.process import ROOT, run
from tests.support.servers import need

#: Server -> an option of its own, and a value that it cannot take.
_BAD_VALUES = {
    "builtin": "grace=soon",
    "gunicorn": "max_requests=many",
    "granian": "backlog=many",
    "hypercorn": "backlog=many",
}


@pytest.mark.parametrize(
    ("server", "option"),
    [
        *((server, "nosuch=1") for server in ("builtin", "gunicorn", "uwsgi", "granian", "hypercorn", "plain")),
        *_BAD_VALUES.items(),
        ("plain", _BAD_VALUES["gunicorn"]),
    ],
)
def test_said_before_the_banner(server: str, option: str, localhost_cert: Paths) -> None:
    """With the code that `tlsrun check --explain` takes; "plain" is gunicorn behind a platform's edge."""
    port = str(free_port())
    name = "gunicorn" if server == "plain" else server
    need(name)
    command = [sys.executable, "-m", "tlsrun", "run", "tests.applications.pep_3333:app", "--server", name]
    command += ["--port", port, "--server-options", option]
    if server == "plain":
        env = {"DYNO": "web.1", "PORT": port}
    else:
        env = {}
        command += ["--cert", str(localhost_cert.fullchain), "--key", str(localhost_cert.key)]
    done = run(command, cwd=ROOT, env=env)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert line.startswith("Error: ")
    assert option.partition("=")[0] in line
    assert line.endswith(" [TLS218]")
    assert done.stdout == ""

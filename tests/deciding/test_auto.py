"""``server = auto`` starts what it says it has chosen."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.certs import Paths
from tests.support.clients import curl, free_port
from tests.support.process import APPLICATIONS, Server
from tests.support.servers import need


@pytest.mark.parametrize(
    ("flags", "says", "version"),
    [
        ([], "Granian was chosen (server = auto): it speaks HTTP/2 and HTTP/1.1\n", "2"),
        (["--http", "1.1"], "Granian was chosen (server = auto): it speaks HTTP/1.1\n", "1.1"),
        (["--http", "3,2,1.1"], "Hypercorn was chosen (server = auto): it speaks HTTP/3, HTTP/2 and HTTP/1.1; "
         "Granian speaks HTTP/2 and HTTP/1.1 only", "2"),
        (["--handshake-timeout", "5"], "gunicorn was chosen (server = auto): it speaks HTTP/1.1; "
         "Granian cannot do what handshake_timeout asks for\n", "1.1"),
        (["--client-ca", "CA", "--client-auth", "optional"], "gunicorn was chosen (server = auto): it speaks HTTP/1.1; "
         "Granian cannot do what client_facts asks for\n", "1.1"),
    ],
)  # fmt: skip
def test_auto(flags: list[str], says: str, version: str, localhost_cert: Paths, ca_file: Path) -> None:
    """The banner names the server, what it speaks, and why those before it were passed over."""
    need("granian")
    need("gunicorn")
    need("hypercorn")
    port = free_port()
    command = [sys.executable, "-m", "tlsrun", "run", f"{APPLICATIONS}/connection.py:app", "--server", "auto"]
    command += ["--port", str(port), "--cert", str(localhost_cert.fullchain), "--key", str(localhost_cert.key)]
    command += [str(ca_file) if flag == "CA" else flag for flag in flags]
    with Server(command) as server:
        server.until_tls(("127.0.0.1", port))
        assert says in server.log()
        answer = curl(f"https://localhost:{port}/", ca_file, "--http2", "--resolve", f"localhost:{port}:127.0.0.1")
        assert (answer.status, answer.version) == (200, version)

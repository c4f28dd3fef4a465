"""Granian as a WSGI server: PEP 3333 to the letter, and an environ that says what is true."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.site import FORGED, Site, serving
from tests.support.certs import Paths
from tests.support.clients import free_port, https_get
from tests.support.process import ROOT, Server, eventually, until_replaced
from tests.support.servers import need


@pytest.fixture(scope="module")
def site(localhost_cert: Paths, ca_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site, started with an environment that lies."""
    need("granian")
    with serving(localhost_cert, ca_file, tmp_path_factory.mktemp("site"), **FORGED) as running:
        yield running


def test_environ_holds_the_request_and_nothing_else(site: Site) -> None:
    """The process environment is no part of it: no fact, no header, no user comes from there."""
    seen = site.environ(**{"X-Mine": "1"})
    assert not {name for name, value in seen.items() if "forged" in str(value)}, seen
    assert "HOME" not in seen
    assert {name: seen[name] for name in ("HTTPS", "SSL_CLIENT_VERIFY", "wsgi.url_scheme", "HTTP_X_MINE")} == {
        "HTTPS": "on", "SSL_CLIENT_VERIFY": "NONE", "wsgi.url_scheme": "https", "HTTP_X_MINE": "1",
    }  # fmt: skip
    assert not [name for name in seen if name.startswith("SSL_") and name != "SSL_CLIENT_VERIFY"]
    assert (seen["SERVER_PORT"], seen["REMOTE_ADDR"]) == (str(site.address[1]), "127.0.0.1")
    assert (seen["wsgi.multiprocess"], seen["wsgi.multithread"]) == (True, True)


def test_headers_that_granian_cannot_send(site: Site) -> None:
    """They are left out, and the log says so; nothing is injected."""
    for odd in ("latin-1", "injection"):
        answer = site.get(f"/header/{odd}")
        assert (answer.status, answer.headers["X-Odd"], answer.headers["X-Even"]) == (200, None, "yes")
        assert answer.headers["Set-Cookie"] is None
    assert site.server.log().count("the header X-Odd was left out of an answer") == 2
    assert site.get("/header/tab").headers["X-Odd"] == "a\tb"


def test_nothing_is_imported_twice(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """One import for the supervisor and all its workers, those that took the place of others too."""
    imports = tmp_path / "imports"
    with serving(localhost_cert, ca_file, tmp_path, WSGI_SITE_IMPORTS=str(imports)) as site:
        assert site.get("/pid").status == 200
        before = site.workers()
        os.kill(min(before), signal.SIGKILL)
        until_replaced(site.workers, [min(before)], 2)
        eventually(lambda: int(site.get("/pid").text) not in before, what="an answer of it")
        assert len(imports.read_text().split()) == 1


def test_granians_own_command(localhost_cert: Paths, ca_file: Path) -> None:
    """There the process environment stands in environ, and nothing of it is taken for a fact."""
    need("granian")
    port = free_port()
    command = [
        Path(sys.executable).parent / "granian", "--interface", "wsgi", "--port", str(port),
        "--ssl-certificate", localhost_cert.fullchain, "--ssl-keyfile", localhost_cert.key,
        "tests.applications.pep_3333:application",
    ]  # fmt: skip
    forged = {**FORGED, "uwsgi.version": "2.0.30", "tlsrun.socket": "forged", "tlsrun.facts": "forged"}
    address = ("127.0.0.1", port)
    with Server(command, env={**forged, "PYTHONPATH": str(ROOT)}, cwd=ROOT) as server:
        server.until_listening(address)
        seen = json.loads(https_get(f"https://localhost:{port}/environ", ca_file, address=address).body)
    assert not [name for name in seen if name.startswith(("SSL_", "HTTPS"))], seen
    assert seen["wsgi.url_scheme"] == "'https'"

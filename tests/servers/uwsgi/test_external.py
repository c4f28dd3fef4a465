"""uWSGI by its own command: an ini file, its own TLS, and what a client may not say."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.certs import Authority, Paths
from tests.support.clients import client_context, free_port, https_get
from tests.support.process import ROOT, Server, run
from tests.support.servers import need
from tlsrun.servers.uwsgi.options import has_ssl

INDEX = """\
import json
from bottle import Bottle, request, response
import bottle_tls

app = Bottle()

@app.route("/")
def index():
    told = {key: value for key, value in request.environ.items() if isinstance(value, str)}
    return {"url": request.url, **told}

application = bottle_tls.application(app)
"""


@pytest.fixture(scope="module")
def built() -> Path:
    """A uWSGI with SSL."""
    named = os.environ.get("TLSRUN_TEST_UWSGI_SSL")
    if not named:
        complaint = "TLSRUN_TEST_UWSGI_SSL names no uWSGI with SSL. Run: pip install --no-binary=pyuwsgi pyuwsgi"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(complaint)
    return Path(str(named))


@pytest.fixture(scope="module")
def site(
    built: Path, ca_file: Path, localhost_cert: Paths, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, int]]:
    """``uwsgi uwsgi.ini``: its own TLS, which asks for client certificates, and a Bottle application in index.py."""
    folder, port = tmp_path_factory.mktemp("external"), free_port()
    (folder / "index.py").write_text(INDEX)
    (folder / "uwsgi.ini").write_text(
        "[uwsgi]\nstrict = true\nmaster = true\nneed-app = true\ndie-on-term = true\n"
        f"https = 127.0.0.1:{port},{localhost_cert.fullchain},{localhost_cert.key},HIGH,{ca_file}\n"
        "https-export-cert = true\nwsgi-file = index.py\n"
    )
    with Server([built, "uwsgi.ini"], cwd=folder, env={"PYTHONPATH": str(ROOT)}) as server:
        server.until_tls(("127.0.0.1", port))
        yield "127.0.0.1", port


def ask(site: tuple[str, int], ca: Path, **more: Any) -> dict[str, str]:
    """What the application saw."""
    answer = https_get(f"https://localhost:{site[1]}/", ca, address=site, **more)
    assert answer.status == 200, answer.body
    seen: dict[str, str] = json.loads(answer.body)
    return seen


def test_an_ini_file(site: tuple[str, int], ca_file: Path) -> None:
    """The application sees the https URL that the client asked for."""
    seen = ask(site, ca_file)
    assert seen["url"] == f"https://localhost:{site[1]}/"
    assert (seen["wsgi.url_scheme"], seen["HTTPS"]) == ("https", "on")
    assert seen["SSL_CLIENT_VERIFY"] == "NONE"


def test_a_client_cannot_say_that_it_came_by_http(site: tuple[str, int], ca_file: Path) -> None:
    """uWSGI believes these headers from anybody; the application does not hear of it."""
    for name, value in {"X-Forwarded-Proto": "http", "X-Forwarded-SSL": "off"}.items():
        seen = ask(site, ca_file, headers={name: value})
        assert seen["url"].startswith("https://"), name
        assert seen["wsgi.url_scheme"] == "https", name


def test_a_client_certificate(site: tuple[str, int], ca: Authority, ca_file: Path, tmp_path: Path) -> None:
    """What uWSGI tells of it is told by mod_ssl's names."""
    client = ca.leaf("alice@example.org", client=True).write(tmp_path)
    context = client_context(ca_file, cert=client.fullchain, key=client.key)
    seen = ask(site, ca_file, context=context)
    assert seen["SSL_CLIENT_VERIFY"] == "SUCCESS"
    assert seen["SSL_CLIENT_S_DN"] == "CN=alice@example.org"
    assert seen["SSL_CLIENT_SAN_Email_0"] == "alice@example.org"


def test_the_wheel_ignores_https_unless_strict(tmp_path: Path) -> None:
    """PyPI's uWSGI has no TLS: ``strict`` is what makes it say so."""
    need("uwsgi")
    if has_ssl():
        pytest.skip("this uWSGI was built with SSL")
    ini = tmp_path / "uwsgi.ini"
    ini.write_text(f"[uwsgi]\nstrict = true\nhttps = 127.0.0.1:{free_port()},cert.pem,key.pem\n")
    done = run([Path(sys.executable).parent / "uwsgi", ini])
    assert done.returncode != 0
    assert "unknown config directive: https" in done.stdout + done.stderr

"""Findings of sites whose application does not know what its clients see: a real proxy, told to do as people do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.check.examining import check, codes, live, only
from tests.check.nginx import nginx, plain_server, tls_server
from tests.support.certs import Paths
from tests.support.clients import free_port
from tests.support.process import ROOT, Server

_APP = """
from flask import Flask, redirect, request, url_for

app = Flask(__name__)
app.secret_key = "of a test"

@app.before_request
def https_only():
    if request.path == "/loop" and not request.is_secure:
        return redirect(request.url.replace("http://", "https://", 1))

@app.route("/loop")
def loop():
    return "in"

@app.route("/login")
def login():
    return redirect(url_for("page", _external=True))

@app.route("/")
def page():
    from flask import session
    session["who"] = "jo"
    link = url_for("page", _external=True)
    part = url_for("static", filename="a.js", _external=True)
    return f'<html><a href="{link}">home</a><script src="{part}"></script>', {"Strict-Transport-Security": "max-age=60"}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, localhost_cert: Paths) -> Iterator[tuple[Path, int, int]]:
    """nginx in front of a plain gunicorn: the project, a port as people write it, and one whose word is believed."""
    folder = tmp_path_factory.mktemp("behind")
    (folder / "behind.py").write_text(
        _APP + "\nfrom flask_tlsrun import TLSRun\nTLSRun(app, trusted_proxies='127.0.0.1', proxy='nginx')\n"
    )
    (folder / "naive.py").write_text(_APP)
    naive, behind, app_naive, app_behind = (free_port() for _ in range(4))
    paths = localhost_cert.fullchain, localhost_cert.key
    # With the port; a real site is at the usual one.
    forward = ("proxy_set_header Host $http_host;", "proxy_set_header X-Forwarded-Proto $scheme;",
               "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;")  # fmt: skip
    blocks = [
        tls_server(naive, *paths, "add_header Strict-Transport-Security max-age=31536000 always;",
                   f"location / {{ proxy_pass http://127.0.0.1:{app_naive}; {' '.join(forward)} }}",
                   "location /unused { return 404; }"),
        tls_server(behind, *paths, f"location / {{ proxy_pass http://127.0.0.1:{app_behind}; {' '.join(forward)} }}",
                   "location /unused { return 404; }"),
        plain_server(free_port(), "return 404;"),
    ]  # fmt: skip
    gunicorn = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--forwarded-allow-ips", ""]
    env = {"PYTHONPATH": str(ROOT), "FORWARDED_ALLOW_IPS": ""}
    with (
        Server([*gunicorn, "-b", f"127.0.0.1:{app_naive}", "naive:app"], cwd=folder, env=env) as one,
        Server([*gunicorn, "-b", f"127.0.0.1:{app_behind}", "behind:app"], cwd=folder, env=env) as two,
        nginx(folder, blocks, naive, behind),
    ):
        one.until_listening(("127.0.0.1", app_naive))
        two.until_listening(("127.0.0.1", app_behind))
        yield folder, naive, behind


def test_an_application_that_takes_the_proxy_for_its_client(site: tuple[Path, int, int], ca_file: Path) -> None:
    """http in links and parts of the page, a cookie that is not Secure, two promises of https."""
    url = f"https://localhost:{site[1]}"
    report = live(url, ca_file)
    assert f"http://localhost:{site[1]}/" in only(report, "TLS431").what
    assert f"http://localhost:{site[1]}/static/a.js" in only(report, "TLS432").what
    assert only(report, "TLS434").what.endswith("max-age=60; and with max-age=31536000")
    assert only(report, "TLS435").what == "without Secure: session"
    assert {"TLS430", "TLS433"}.isdisjoint(codes(report))  # nobody said anything of the settings
    for code in ("TLS431", "TLS432", "TLS435"):
        assert "TLS_TRUSTED_PROXIES" in only(report, code).remedy


def test_its_redirects(site: tuple[Path, int, int], ca_file: Path) -> None:
    """One that goes round and round, and one that leads back to http."""
    url = f"https://localhost:{site[1]}"
    loop = live(f"{url}/loop", ca_file)
    assert f"{url}/loop → " in only(loop, "TLS430").what
    assert "TLS431" not in codes(loop)
    assert "http://localhost" in only(live(f"{url}/login", ca_file), "TLS431").what


def test_the_settings_are_known(site: tuple[Path, int, int], ca_file: Path, localhost_cert: Paths) -> None:
    """A proxy is seen, and none is trusted; where one is, nothing is said."""
    named = {"url": f"https://localhost:{site[1]}", "ca": ca_file}
    files = {"cert": str(localhost_cert.fullchain), "key": str(localhost_cert.key)}
    assert "nginx" in only(check(**named, **files), "TLS433").what
    assert "TLS433" not in codes(check(**named, **files, trusted_proxies="127.0.0.1"))


def test_an_application_that_knows(site: tuple[Path, int, int], ca_file: Path) -> None:
    """Behind the same proxy, with two settings: nothing of all that."""
    for path in ("", "/loop", "/login"):
        report = live(f"https://localhost:{site[2]}{path}", ca_file)
        assert not {code for code in codes(report) if code.startswith("TLS43")}

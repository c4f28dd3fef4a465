"""Everything that can be set, in each file, before each program's own check."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.export import fronts
from tests.support.certs import Authority
from tests.support.clients import free_port
from tests.support.process import run

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def everything(ca: Authority, clients_ca: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str | Path]:
    """A certificate with a wildcard, one more by SNI, required client certificates, one TLS version, ACME."""
    folder = tmp_path_factory.mktemp("everything")
    own = ca.leaf(["example.org", "*.example.org"]).write(folder)
    site = folder / "sites" / "shop.example"
    site.mkdir(parents=True)
    more = ca.leaf(["shop.example"]).write(site)
    shutil.move(more.key, site / "privkey.pem")
    return [
        "--cert", own.fullchain, "--key", own.key, "--sni", folder / "sites", "--client-ca", clients_ca,
        "--profile", "modern", "--hsts", "300", "--host", "::",
    ]  # fmt: skip


def ports() -> list[str]:
    """Of their own: some checks bind them."""
    return ["--port", str(free_port()), "--redirect-port", str(free_port())]


INTRODUCED = ["--proxy-protocol", "--trusted-proxies", "10.0.0.1,10.2.0.0/16"]
FRONTS = {"nginx": fronts.nginx_words, "haproxy": fronts.haproxy_words, "caddy": fronts.caddy_words}


@pytest.mark.parametrize(("target", "more"), [
    ("nginx", ["--sni-strict", "--acme-webroot", "/srv", *INTRODUCED]),
    ("nginx", ["--upstream", "uwsgi", "--socket", "127.0.0.1:9000", "--groups", "prime256v1"]),
    ("haproxy", ["--sni-strict", *INTRODUCED]),
    ("haproxy", ["--socket", "[::1]:9000"]),
    ("caddy", ["--sni-strict", "--socket", "127.0.0.1:9000", "--http", "2,1.1"]),
], ids=lambda one: one if isinstance(one, str) else "")  # fmt: skip
def test_fronts(target: str, more: list[str], everything: list[str | Path], project: Path, place: Path) -> None:
    """Each program takes its file without a warning."""
    text = fronts.export(project, target, "inflask:app", *everything, *ports(), "--certificates", place, *more,
                         "--handshake-timeout", "2.5")  # fmt: skip
    FRONTS[target](place, text)
    assert "shop.example" in text


@pytest.mark.parametrize("form", ["wsgi", "proxy"])
def test_apache(form: str, everything: list[str | Path], project: Path, place: Path) -> None:
    """With folders for challenges, several virtual hosts, and a name for the daemon processes."""
    webroot = place / "webroot" / ".well-known" / "acme-challenge"
    webroot.mkdir(parents=True)
    text = fronts.export(project, "apache", "inflask:app", *everything, *ports(), "--upstream", form, "--acme-webroot",
                         place / "webroot", "--name", "the-shop")  # fmt: skip
    fronts.apache_words(place, text, wsgi=form == "wsgi")
    assert "ServerName shop.example" in text


def test_passing_through(project: Path, place: Path) -> None:
    """HAProxy behind another proxy, on both families."""
    text = fronts.export(project, "haproxy", "--upstream", "tls", "--machine", "127.0.0.1:1", "--machine", "[::1]:2",
                         "--proxy-protocol", "--trusted-proxies", "10.0.0.1", *ports())  # fmt: skip
    fronts.haproxy_words(place, text)


def test_gunicorn_conf(everything: list[str | Path], project: Path, place: Path) -> None:
    """The file is run by the check, and so its contexts are made."""
    text = fronts.export(project, "gunicorn-conf", "inflask:app", *everything, "--sni-strict")
    (place / "gunicorn.conf.py").write_text(text)
    words = [BIN / "gunicorn", "--no-control-socket", "-c", place / "gunicorn.conf.py", "--check-config"]
    done = run(words, cwd=project)
    assert done.returncode == 0, done.stderr
    assert "shop.example" in text

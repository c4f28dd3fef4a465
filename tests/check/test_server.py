"""Findings about the server that is chosen."""

from __future__ import annotations

import os
import ssl
import sys
from pathlib import Path

import pytest

from tests.check.examining import check, codes, only
from tests.support.clients import free_port
from tests.support.process import run
from tests.support.servers import ALL_SERVERS, need
from tlsrun.check.code import Severity

PUBLIC = "192.0.2.1"


@pytest.mark.parametrize("server", ALL_SERVERS)
def test_version_and_http_versions(server: str) -> None:
    """Which server it is, what it runs on, and which HTTP it speaks."""
    need(server)
    report = check(server=server)
    ground = only(report, "TLS302").what
    assert "Python 3." in ground
    assert ssl.OPENSSL_VERSION.split()[1] in ground
    assert "HTTP/1.1" in only(report, "TLS304").what


@pytest.mark.parametrize("server", ["gunicorn", "uwsgi"])
def test_not_installed(server: str, tmp_path: Path) -> None:
    """Its absence is said with the command that installs it."""
    package = {"gunicorn": "gunicorn", "uwsgi": "pyuwsgi"}[server]
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.metadata as m, importlib.util as u, sys\n"
        f"sys.modules[{package!r}] = None\n"
        "find, version = u.find_spec, m.version\n"
        f"u.find_spec = lambda name, package=None: None if name == {package!r} else find(name, package)\n"
        "def missing(name):\n"
        f"    if name == {package!r}: raise m.PackageNotFoundError(name)\n"
        "    return version(name)\n"
        "m.version = missing\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", ""), str(Path.cwd())])
    command = [sys.executable, "-m", "tlsrun", "check", "--server", server, "--port", str(free_port())]
    ended = run(command, cwd=tmp_path, env={"PYTHONPATH": path})
    assert "TLS301" in ended.stdout, ended.stdout + ended.stderr
    assert f'pip install "tlsrun[{server}]"' in ended.stdout
    assert ended.returncode == 2


def test_auto_says_why() -> None:
    """Which server it takes, and the reason."""
    assert "chosen by auto: it speaks HTTP/" in only(check(server="auto"), "TLS302").what


def test_uwsgi_without_ssl() -> None:
    """Whether this uWSGI is built with SSL, and that the edge serves either kind."""
    need("uwsgi")
    assert "edge" in only(check(server="uwsgi"), "TLS303").what


def test_builtin_on_a_public_address() -> None:
    """It is for development."""
    assert only(check(host=PUBLIC), "TLS306").severity is Severity.WARNING
    assert "TLS306" not in codes(check())


def test_old_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSL 1.1.1 gets no fixes any more."""
    monkeypatch.setattr(ssl, "OPENSSL_VERSION_INFO", (1, 1, 1, 23, 15))
    monkeypatch.setattr(ssl, "OPENSSL_VERSION", "OpenSSL 1.1.1w  11 Sep 2023")
    assert "1.1.1w" in only(check(), "TLS305").what


@pytest.mark.parametrize(
    ("server", "option", "hint"),
    [("gunicorn", "max_request", "max_requests"), ("uwsgi", "harakirri", "harakiri")],
)
def test_unknown_options(server: str, option: str, hint: str, tmp_path: Path) -> None:
    """A slip in the server's own options, also when no plan can be made because something else is wrong."""
    need(server)
    for more in ({}, {"cert": str(tmp_path / "missing.pem")}):
        finding = only(check(server=server, server_options={option: "5"}, **more), "TLS218")
        assert hint in finding.remedy

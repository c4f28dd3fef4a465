"""What docs/explanation/servers.md says of the servers as they come; where one mends it, the page must change.

Valid input only: what stalls a server, or deceives it, is said on that page in words, with the version and a source.
"""

from __future__ import annotations

import os
import signal
import ssl
import sys
from pathlib import Path

import pytest

from tests.support.certs import Paths
from tests.support.clients import Address, client_context, curl, free_port, https_get, tls_connect
from tests.support.process import APPLICATIONS, Server, handles, run
from tests.support.servers import need

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
BIN = Path(sys.executable).parent


def flask_run(port: int, cert: Paths, imports: Path) -> Server:
    """`flask run` with a certificate."""
    command = [BIN / "flask", "--app", "shop:create_app", "run", "-p", str(port)]
    return Server(
        [*command, "--cert", cert.fullchain, "--key", cert.key],
        cwd=APPLICATIONS / "flask_package",
        env={"CELL_IMPORTS": str(imports)},
    )


def gunicorn(port: int, cert: Paths, imports: Path, *arguments: str) -> Server:
    """`gunicorn` with a certificate."""
    command = [BIN / "gunicorn", "-b", f"127.0.0.1:{port}", "--certfile", cert.fullchain, "--keyfile", cert.key]
    return Server(
        [*command, "--no-control-socket", *arguments, "hello:app"],
        cwd=APPLICATIONS / "wsgi_file",
        env={"CELL_IMPORTS": str(imports)},
    )


def resumed(address: Address, ca_file: Path, version: ssl.TLSVersion, times: int = 8) -> int:
    """How many of ``times`` connections resume the session before them."""
    context = client_context(ca_file)
    context.minimum_version = context.maximum_version = version
    session, count = None, 0
    for _ in range(times + 1):
        with tls_connect(address, ca_file, context=context, session=session) as tls:
            tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while tls.recv(4096):  # TLS 1.3's ticket comes behind the handshake
                pass
            session, count = tls.session, count + bool(tls.session_reused)
    return count


def test_werkzeug_closes_after_each_request(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """Each request pays for a handshake."""
    address = ("127.0.0.1", free_port())
    with flask_run(address[1], localhost_cert, tmp_path / "imports") as program:
        program.until_tls(address)
        answer = https_get(f"https://localhost:{address[1]}/", ca_file, address=address)
        assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize("version", VERSIONS, ids=lambda one: one.name)
def test_werkzeug_resumes_every_session(
    version: ssl.TLSVersion, localhost_cert: Paths, ca_file: Path, tmp_path: Path
) -> None:
    """It has one context, and so the way in which gunicorn is measured can find what gunicorn lacks."""
    address = ("127.0.0.1", free_port())
    with flask_run(address[1], localhost_cert, tmp_path / "imports") as program:
        program.until_tls(address)
        assert resumed(address, ca_file, version, times=8) == 8


@pytest.mark.parametrize("version", VERSIONS, ids=lambda one: one.name)
def test_gunicorn_resumes_no_session(
    version: ssl.TLSVersion, localhost_cert: Paths, ca_file: Path, tmp_path: Path
) -> None:
    """It builds a context for every connection, and each has ticket keys of its own."""
    need("gunicorn")
    address = ("127.0.0.1", free_port())
    with gunicorn(address[1], localhost_cert, tmp_path / "imports") as program:
        program.until_tls(address)
        assert resumed(address, ca_file, version) == 0


def test_uwsgis_wheel_has_no_tls(localhost_cert: Paths, tmp_path: Path) -> None:
    """The wheel from PyPI does not know --https, and passes over the same line in an ini file."""
    need("uwsgi")
    value = f"127.0.0.1:{free_port()},{localhost_cert.fullchain},{localhost_cert.key}"
    asked = run([BIN / "uwsgi", "--https", value])
    assert asked.returncode != 0
    assert "unrecognized option '--https'" in asked.stderr
    ini = tmp_path / "uwsgi.ini"
    ini.write_text(f"[uwsgi]\nhttps = {value}\n")
    asked = run([BIN / "uwsgi", "--ini", ini, "--show-config"])
    assert "https" in asked.stdout + asked.stderr
    assert "unrecognized" not in asked.stdout + asked.stderr
    asked = run([BIN / "uwsgi", "--strict", "--ini", ini])
    assert asked.returncode != 0


def test_uwsgi_loses_its_virtual_environment_at_a_reload(tmp_path: Path) -> None:
    """SIGHUP starts the interpreter behind the environment's link, which cannot import pyuwsgi."""
    need("uwsgi")
    if sys.prefix == sys.base_prefix:
        pytest.skip("not in a virtual environment")
    address = ("127.0.0.1", free_port())
    command = [BIN / "uwsgi", "--master", "--http-socket", f"127.0.0.1:{address[1]}", "--module", "hello:app"]
    env = {"CELL_IMPORTS": str(tmp_path / "imports"), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    with Server(command, cwd=APPLICATIONS / "wsgi_file", env=env) as program:
        # The worker answers and the master handles the signal: before that it is lost on the one, fatal to the other.
        program.wait_for(lambda: curl(f"http://127.0.0.1:{address[1]}/", Path(os.devnull)).status == 200)
        program.wait_for(lambda: handles(program.pid, signal.SIGHUP), what="a handler of SIGHUP")
        program.signal(signal.SIGHUP)
        assert program.wait(20) == 1
        assert "No module named 'pyuwsgi'" in program.log()

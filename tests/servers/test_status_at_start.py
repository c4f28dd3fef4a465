"""`tlsrun status` from the first moment of a server on, and of one that nobody told about."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.reloading.site import serving
from tests.support.certs import Paths
from tests.support.clients import free_port
from tests.support.process import Server, eventually, run
from tests.support.servers import ALL_SERVERS, need
from tests.support.systemd import Manager


def status(folder: Path) -> CompletedProcess[str]:
    """What the command says; of the servers of others, which root would see, only those below ``folder``."""
    return run([sys.executable, "-m", "tlsrun", "status", "--json"], env={"TMPDIR": str(folder)})


@pytest.mark.representatives("")
@pytest.mark.parametrize("server", ALL_SERVERS)
def test_as_soon_as_it_serves(server: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """0, with the place and the certificate, once the server has said that it is ready."""
    with Manager(tmp_path / "notify") as manager:
        env = {"NOTIFY_SOCKET": str(manager.path)}
        with serving(server, localhost_cert, ca_file, tmp_path, **env) as site:
            site.server.wait_for(lambda: "READY=1" in manager.hear(), what="READY=1")
            if server == "gunicorn":  # which says so before its workers serve
                eventually(lambda: status(tmp_path).returncode == 0)
            done = status(tmp_path)
            assert done.returncode == 0, done.stderr
            (place,) = {one["endpoint"] for one in json.loads(done.stdout)}
            assert place == f"127.0.0.1:{site.address[1]}"


def test_started_by_its_own_command(localhost_cert: Paths, tmp_path: Path) -> None:
    """2, and in words: what is not known, and how to ask."""
    need("gunicorn")
    port = free_port()
    gunicorn = [Path(sys.executable).parent / "gunicorn", "--no-control-socket", "-b", f"127.0.0.1:{port}"]
    files = ["--certfile", localhost_cert.fullchain, "--keyfile", localhost_cert.key]
    (tmp_path / "hello.py").write_text("from bottle import default_app\napplication = default_app()\n")
    command = [*gunicorn, *files, "tlsrun.entry:application"]
    with Server(command, cwd=tmp_path, env={"TLSRUN_APP": "hello:application"}) as program:
        program.until_tls(("127.0.0.1", port))
        done = status(tmp_path)
        assert done.returncode == 2
        assert "No server that tlsrun started is running" in done.stderr
        asked = run([sys.executable, "-m", "tlsrun", "cert", "show", f"https://127.0.0.1:{port}"])
        assert "localhost" in asked.stdout

"""Hypercorn over time: signals, deaths, limits, exit codes."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from tests.servers.site import Serve
from tests.support.certs import Authority, Paths
from tests.support.clients import free_port
from tests.support.process import ROOT, Server, eventually, run


def test_no_worker_outlives_its_supervisor(hypercorn: Serve) -> None:
    """Killed, it leaves no process and no port."""
    with hypercorn() as site:
        site.server.signal(signal.SIGKILL)
        site.server.wait(20)
        eventually(lambda: not site.server.members(), what="the end of the workers")
        assert not site.accepts()


def test_max_requests(hypercorn: Serve) -> None:
    """A worker that has answered so many makes room for another; no request is lost."""
    with hypercorn("--server-options", "max_requests=5", "--server-options", "max_requests_jitter=2") as site:
        before, seen = site.workers(), set()
        for _ in range(60):
            answer = site.get("/pid")
            assert answer.status == 200
            seen.add(int(answer.text))
            if seen - before:
                break
        site.server.wait_for(lambda: site.workers() - before, what="a new worker")
        assert "unexpectedly" not in site.server.log()


def test_sighup_reads_the_certificates(hypercorn: Serve, ca: Authority, tmp_path: Path) -> None:
    """On demand too, where watching is off."""
    live = ca.leaf().write(tmp_path / "live")
    with hypercorn("--no-reload-certificates", cert=live) as site:
        new = ca.leaf()
        new.write(tmp_path / "live")
        site.server.signal(signal.SIGHUP)
        seen = []

        def by_both() -> bool:
            seen.append(site.get("/pid").tls.certificate == new.der)
            return seen[-12:] == [True] * 12

        eventually(by_both, what="the new certificate")


def test_the_redirect_port(hypercorn: Serve) -> None:
    """Plain HTTP is sent to https; HSTS is sent on request."""
    port = free_port()
    with hypercorn("--redirect-port", str(port), "--hsts", "60", "--hosts", "127.0.0.1,site.test") as site:
        target = f"https://127.0.0.1:{site.address[1]}/pid"
        for _ in range(4):
            asked = run(["curl", "-q", "-sS", "-w", "%{redirect_url}", f"http://127.0.0.1:{port}/pid"])
            assert asked.stdout.endswith(target), asked
        answer = site.get("/pid", headers={"Host": "site.test"})
        assert answer.headers["Strict-Transport-Security"] == "max-age=60"


def test_the_logs(hypercorn: Serve, tmp_path: Path) -> None:
    """Hypercorn's access log, in its own format."""
    log = tmp_path / "access"
    options = ("--server-options", f"accesslog={log}", "--server-options", "access_log_format=%(m)s %(U)s %(s)s")
    with hypercorn(*options) as site:
        assert site.get("/pid").status == 200
        eventually(lambda: log.exists() and "GET /pid 200" in log.read_text(), what="a line in the log")


def test_a_port_of_its_own_choice(hypercorn: Serve, localhost_cert: Paths) -> None:
    """Port 0: the same number for TCP and UDP, and the one that is announced."""
    command = [
        sys.executable, "-m", "tlsrun", "run", "tests.applications.pep_3333:app", "--server", "hypercorn",
        "--port", "0",
        "--cert", str(localhost_cert.fullchain), "--key", str(localhost_cert.key),
    ]  # fmt: skip
    with Server(command, env={"WSGI_SITE_FOLDER": "/nowhere"}, cwd=ROOT) as server:
        server.until_logged("serving on https://127.0.0.1:")
        port = int(server.log().split("serving on https://127.0.0.1:")[1].split()[0])
        asked = run(["curl", "-q", "-sSk", "-D", "-", f"https://127.0.0.1:{port}/pid"])
        assert f'alt-svc: h3=":{port}"' in asked.stdout.lower(), asked

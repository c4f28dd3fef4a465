"""Servers whose supervisor is ours, over time: signals, deaths, exit codes."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.servers.site import Serve, Site, serving
from tests.support.certs import Paths
from tests.support.clients import Response, stalled
from tests.support.process import ROOT, eventually, run, until_replaced
from tests.support.servers import need

SERVERS = ("granian", "hypercorn")
#: Server -> its own option that says how long requests have at a stop, and what its log says when they had no longer.
GRACE = {
    "granian": ("workers_kill_timeout=1", ""),
    "hypercorn": ("graceful_timeout=1", "requests were cut off after 1 s"),
}
#: Server -> seconds that a stop takes at most though clients stall; requests that run would have 30.
STOPPED = {"granian": 10, "hypercorn": 20}


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    """The name of each of them."""
    need(request.param)
    return str(request.param)


@pytest.fixture
def serve(server: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> Serve:
    """Starts the site under it, with further flags and two workers."""

    def start(*flags: str) -> AbstractContextManager[Site]:
        return serving(localhost_cert, ca_file, tmp_path, *flags, server=server)

    return start


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_lets_requests_finish(serve: Serve, number: int) -> None:
    """The port is closed, the request is answered, and the exit code is 0."""
    with serve() as site:
        with site.asking("/slow/2") as answers:
            site.server.signal(number)
            eventually(lambda: not site.accepts(), what="a closed port")
        assert isinstance(answers[0], Response)
        assert answers[0].status == 200
        assert site.server.wait(20) == 0
        assert "Traceback" not in site.server.log()


def test_a_second_signal_ends_requests_too(server: str, serve: Serve) -> None:
    """Who asks twice does not wait."""
    with serve() as site, site.asking("/slow/60") as answers:
        site.server.signal(signal.SIGTERM)
        if server == "granian":
            site.server.until_logged("Shutting down")
        eventually(lambda: not site.accepts(), what="a closed port")
        site.server.signal(signal.SIGTERM)
        assert site.server.wait(20) == 0
    assert isinstance(answers[0], Exception)


def test_the_servers_own_option_says_how_long_requests_have(server: str, serve: Serve) -> None:
    """After that they are cut off, and the end is a clean one."""
    option, says = GRACE[server]
    with serve("--server-options", option) as site, site.asking("/slow/60") as answers:
        site.server.signal(signal.SIGTERM)
        assert site.server.wait(20) == 0
        assert says in site.server.log()
    assert isinstance(answers[0], Exception)


def test_stalled_clients_do_not_prolong_a_stop(server: str, serve: Serve) -> None:
    """Nobody waits for handshakes and request heads that do not come."""
    with serve() as site, stalled("silent", 10, site.address), stalled("half-hello", 10, site.address):
        site.server.signal(signal.SIGTERM)
        assert site.server.wait(STOPPED[server]) == 0


def test_a_worker_that_dies_is_replaced(server: str, serve: Serve) -> None:
    """Again and again; the others go on, and the end is a clean one."""
    with serve() as site:
        for _ in range(3):
            killed = site.workers().pop()
            os.kill(killed, signal.SIGKILL)
            until_replaced(site.workers, [killed], 2)
            assert site.get("/pid").status == 200
        if server == "hypercorn":
            site.server.until_logged("ended unexpectedly (-9); another one is started")
        site.server.signal(signal.SIGTERM)
        assert site.server.wait(20) == 0


def test_a_port_that_is_taken(server: str, serve: Serve) -> None:
    """It is said in words, before anything starts."""
    with serve() as site:
        command = [sys.executable, "-m", "tlsrun", "run", "tests.applications.pep_3333:app", "--server", server]
        done = run([*command, "--port", str(site.address[1])], cwd=ROOT)
        assert done.returncode == 2
        assert "is taken by another program" in done.stderr
        assert "Traceback" not in done.stderr

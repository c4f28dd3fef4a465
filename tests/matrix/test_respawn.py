"""A process that is started again is as up to date as the others."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.matrix.test_rotation import in_place, resumes, served, session_of, until_served_by_all
from tests.support.certs import Authority, Paths
from tests.support.clients import client_context
from tests.support.process import eventually, run
from tests.support.servers import need
from tests.support.sites import Serve, Site, serving


@pytest.fixture(params=["gunicorn", "uwsgi"])
def serve(request: pytest.FixtureRequest, ca_file: Path, localhost_cert: Paths) -> Serve:
    """Starts the site under the servers that start a process again; the built-in one is one process."""
    need(request.param)
    return serving(request.param, ca_file, localhost_cert)


def test_a_process_that_is_started_again_is_up_to_date(serve: Serve, ca: Authority, tmp_path: Path) -> None:
    """A worker or edge that dies after a renewal is followed by one that never serves the old certificate; sessions
    from before all that resume."""
    live = ca.leaf().write(tmp_path)
    with serve(cert=live) as site:
        context = client_context(site.ca)
        session = session_of(site, context)
        new = ca.leaf()
        in_place(live, new)
        until_served_by_all(site, new)
        gone = shaking_hands(site)
        for pid in gone:
            os.kill(pid, signal.SIGKILL)
        seen = set()

        def replaced() -> bool:
            with contextlib.suppress(OSError):
                seen.add(served(site))
            now = shaking_hands(site)
            return len(now) == len(gone) and not now & gone

        eventually(replaced, what="new processes")
        seen.update(served(site) for _ in range(20))
        assert seen == {new.der}
        assert sum(resumes(site, context, session) for _ in range(50)) == 50


def shaking_hands(site: Site) -> set[int]:
    """The processes that serve TLS, by the status that each of them gives."""
    found = json.loads(run([sys.executable, "-m", "tlsrun", "status", "--json"]).stdout)
    return {process["pid"] for process in found if process["endpoint"] == f"127.0.0.1:{site.port}"}

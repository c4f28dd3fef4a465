"""A reload with other settings: as many workers as the new code says, the server that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reloading.site import Site, asking, serving
from tests.support.certs import Paths
from tests.support.process import eventually
from tests.support.servers import need

#: Says which version it is, in which process, and under what.
CODE = """
import os, sys
from bottle import Bottle, request

app = Bottle()
app.config["tls.server"] = {server!r}
app.config["tls.workers"] = {workers}

@app.route("/")
def index():
    return f"{version} {{os.getpid()}} {{request.environ.get('SERVER_SOFTWARE', 'uwsgi')}}"
"""
#: Server -> how it is called where it says who it is.
SHOWN = {"builtin": "tlsrun"}


def deploy(folder: Path, version: str, server: str, workers: int) -> None:
    """Write the code that says so."""
    (folder / "other_code.py").write_text(CODE.format(version=version, server=server, workers=workers))


COMMAND = ["-m", "tlsrun", "run", "other_code:app"]


def workers(site: Site) -> int:
    """How many processes answer."""
    return len({site.ask().text.split()[1] for _ in range(40)})


@pytest.mark.representatives("")
@pytest.mark.parametrize("server", ["gunicorn", "uwsgi", "granian", "hypercorn"])
def test_other_workers(server: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """More of them, then fewer, then more again, and nobody notices."""
    need(server)
    deploy(tmp_path, "one", server, 2)
    with serving("", localhost_cert, ca_file, tmp_path, command=COMMAND) as site:
        assert SHOWN.get(server, server) in site.ask().text
        with asking(site, kept=1, new=1) as load:
            for version, number in (("two", 3), ("three", 1), ("four", 2)):
                deploy(tmp_path, version, server, number)
                site.hang_up()
                site.until_served_by_all(version)
                eventually(lambda: workers(site) == number, what=f"{number} workers")  # noqa: B023 -- called at once
            load.until_more()
        assert load.failures == []


@pytest.mark.representatives("")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("builtin", "gunicorn"),
        ("gunicorn", "uwsgi"),
        ("gunicorn", "granian"),
        ("granian", "hypercorn"),
        ("builtin", "uwsgi"),
        ("hypercorn", "builtin"),
    ],
)
def test_another_server(before: str, after: str, localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """It takes the place of the one before, in the same process, and reloads in its turn."""
    need(before)
    need(after)
    deploy(tmp_path, "one", before, 1)
    with serving("", localhost_cert, ca_file, tmp_path, command=COMMAND) as site:
        assert SHOWN.get(before, before) in site.ask().text
        with asking(site, kept=1, new=1) as load:
            for version in ("two", "three"):
                deploy(tmp_path, version, after, 1)
                site.hang_up()
                site.until_served_by_all(version)
                assert SHOWN.get(after, after) in site.ask().text
            load.until_more()
        assert load.failures == []
        eventually(lambda: workers(site) == 1)


def test_another_server_in_the_place_of_uwsgi(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """Refused in one line that says what to do; the old code goes on, and another reload goes through."""
    need("uwsgi")
    deploy(tmp_path, "one", "uwsgi", 1)
    with serving("", localhost_cert, ca_file, tmp_path, command=COMMAND) as site:
        deploy(tmp_path, "two", "gunicorn", 1)
        site.hang_up()
        site.until_refused()
        assert "it names gunicorn now, and uwsgi runs" in site.server.log()
        assert "Stop it, and start it again" in site.server.log()
        assert site.version() == "one"
        deploy(tmp_path, "three", "uwsgi", 2)
        site.hang_up()
        site.until_served_by_all("three")

"""A reload of a server that root started and somebody else serves: ports, keys, the status."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import random
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reloading.site import FLAGS, Site, asking, serving
from tests.support.certs import Authority
from tests.support.namespace import open_for
from tests.support.process import eventually, run
from tlsrun.account import find_account

#: Who has no process of root's left, once it serves.
NOBODY_IS_ROOT = ("builtin", "uwsgi")

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")


def roots_port() -> int:
    """A free port that only root may bind."""
    for _ in range(100):
        port = random.SystemRandom().randrange(600, 1024)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port below 1024")


@pytest.fixture(scope="module")
def before() -> list[str]:
    """What a command is begun with, so that `nobody` can do what it does."""
    account = find_account("nobody", None, where="the test")
    assert account is not None
    found = open_for(account)
    if found is None:
        pytest.skip("nobody may not start this interpreter, or not read this project")
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """For all to look into. Each start of pytest closes its own to everybody else."""
    with tempfile.TemporaryDirectory(prefix="tlsrun-test-") as name:
        Path(name).chmod(0o755)  # noqa: S103 -- that is its purpose
        yield Path(name)


def served(site: Site) -> set[int]:
    """The processes of which `tlsrun status` says that they serve there."""
    done = run([sys.executable, "-m", "tlsrun", "status", "--json"])
    return {one["pid"] for one in json.loads(done.stdout) if one["endpoint"].endswith(f":{site.address[1]}")}


@pytest.mark.representatives("")
@pytest.mark.parametrize("server", FLAGS)
def test_a_server_that_was_roots(server: str, ca: Authority, ca_file: Path, folder: Path, before: list[str]) -> None:
    """A port of root's is kept, for redirects too, and the status follows, twice in a row. Where root stays, it reads
    its key again; where nobody is root any more, the log names the file, and the old code goes on."""
    cert, port = ca.leaf().write(folder / "cert"), roots_port()
    cert.key.chmod(0o600)
    flags = ("--user", "nobody", "--redirect-port", str(roots_port()))
    with serving(server, cert, ca_file, folder, *flags, before=before, port=port) as site:
        old = eventually(lambda: served(site))
        with asking(site, kept=1, new=1) as load:
            if server in NOBODY_IS_ROOT:
                site.write("two")
                site.hang_up()
                site.until_refused()
                assert str(cert.key) in site.server.log()
                assert site.version() == "one"
                os.chown(cert.key, pwd.getpwnam("nobody").pw_uid, -1)
            for version in ("two", "three"):
                site.write(version)
                site.hang_up()
                site.until_served_by_all(version)
                new = eventually(lambda: site.server.process.poll() is None and served(site))
            load.until_more()
        assert load.failures == []
        assert new
        if server not in ("builtin", "granian"):  # whose one process says it
            eventually(lambda: not served(site) & old, what="a status without the workers of before")
        users = {os.stat(f"/proc/{pid}").st_uid for pid in served(site)}
        assert users == {0 if server == "granian" else pwd.getpwnam("nobody").pw_uid}
        assert "status cannot be written" not in site.server.log()

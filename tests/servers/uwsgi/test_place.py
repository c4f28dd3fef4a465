"""Sockets and folder of a server, over the exec(2) of a reload."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.clients import free_port
from tests.support.process import ROOT, run

#: Settles twice, as uWSGI executes it again; prints port, descriptors and folder each time.
CODE = """
import os, sys
from tlsrun.endpoint import Endpoint
from tlsrun.listening.address import Listener
from tlsrun.servers.uwsgi.place import settle
first, second = sys.argv[1:]
again = os.environ.get("UWSGI_RELOADS") == "1"
place = settle([Listener(place=Endpoint(host="127.0.0.1", port=int(second if again else first)))], backlog=5)
print(place.listening.listeners[0].place.port, place.descriptors, place.folder, flush=True)
if again:
    place.remove()
else:
    os.environ["UWSGI_RELOADS"] = "1"
    os.execv(sys.executable, [sys.executable, "-c", os.environ["CODE"], first, second])
"""


def settled(first: int, second: int, **env: str) -> list[str]:
    """What it prints."""
    words = [sys.executable, "-W", "error", "-c", CODE, str(first), str(second)]
    done = run(words, env={"CODE": CODE, "PYTHONPATH": str(ROOT), **env})
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_port_of_the_systems_choice_stays() -> None:
    """Port 0 is chosen once, and the folder is the same."""
    before, after = settled(0, 0)
    assert before == after
    assert not Path(before.split()[-1]).exists()


def test_another_port_is_listened_on() -> None:
    """Settings that changed before the reload hold after it; the old port is free again."""
    first, second = free_port(), free_port()
    before, after = settled(first, second)
    assert before.split()[0] == str(first)
    assert after.split()[0] == str(second)
    assert before.split()[-1] == after.split()[-1]


def test_a_program_that_a_worker_starts_is_not_a_reload(monkeypatch: pytest.MonkeyPatch) -> None:
    """It inherits the variables, and makes its own sockets and folder."""
    monkeypatch.setenv("_TLSRUN_UWSGI", f"{os.getpid()}:3:/nowhere")
    monkeypatch.setenv("UWSGI_RELOADS", "0")
    before, after = settled(0, 0)
    assert before == after
    assert "/nowhere" not in before


def test_what_a_killed_server_left_is_removed() -> None:
    """A folder with a socket that nobody listens on goes; one that is in use, or not ours to judge, stays."""
    with tempfile.TemporaryDirectory(prefix="t-") as parent, socket.socket(socket.AF_UNIX) as living:
        for name in ("dead", "living", "empty"):
            Path(parent, f"tlsrun-uwsgi-{name}").mkdir()
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(f"{parent}/tlsrun-uwsgi-dead/workers")
            dead.listen()
        living.bind(f"{parent}/tlsrun-uwsgi-living/workers")
        living.listen()
        settled(0, 0, TMPDIR=parent)
        assert sorted(os.listdir(parent)) == ["tlsrun-uwsgi-empty", "tlsrun-uwsgi-living"]

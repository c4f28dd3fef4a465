"""The load programs against a real server."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from benchmarks.loads import new_connections
from benchmarks.outputs import Unreadable
from benchmarks.programs import Running, free_port, serving
from tests.support.certs import Paths


@pytest.mark.parametrize("resume", [False, True])
def test_new_connections(resume: bool, localhost_cert: Paths, tmp_path: Path) -> None:
    """They are counted, with what they cost each side, and who resumes is told."""
    port = free_port()
    command = ["openssl", "s_server", "-quiet", "-www", "-accept", f"127.0.0.1:{port}"]
    command += ["-cert", str(localhost_cert.cert), "-key", str(localhost_cert.key)]
    with serving(command, port, tmp_path, {}) as server:
        found = new_connections(server, resume=resume, seconds=0.5)
    assert found.made > 4
    assert 0 < found.rate < 2 * found.made + 1
    assert found.resumed == (1.0 if resume else 0.0)
    assert 0 < found.spent < 0.1
    assert 0 < found.spent_by_client < 0.1


def test_nobody_there() -> None:
    """There is nothing to count, and nothing is waited for."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        server = Running(pid=os.getpid(), port=nobody.getsockname()[1], started_in=0.0)
        with pytest.raises(Unreadable, match="openssl s_time"):
            new_connections(server, resume=False, seconds=0.5)

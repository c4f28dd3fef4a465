"""The load programs against real servers."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.loads import kept_alive_in_turns, new_connections
from benchmarks.outputs import Unreadable
from benchmarks.programs import Running, free_port, serving
from tests.support.certs import Paths

#: Whose clients resume, and who answers as wrk expects: with port, certificate and key to be filled in.
_S_SERVER = "openssl s_server -quiet -www -accept 127.0.0.1:{port} -cert {cert} -key {key}"
_WSGIREF = f"{sys.executable} -m benchmarks.apps.bottle_app {{port}} {{cert}} {{key}}"


@contextlib.contextmanager
def _two(words: str, paths: Paths, folder: Path) -> Iterator[list[Running]]:
    with ExitStack() as stack:
        running = []
        for _ in range(2):
            port = free_port()
            command = words.format(port=port, cert=paths.cert, key=paths.key).split()
            running.append(stack.enter_context(serving(command, port, folder, {})))
        yield running


@pytest.mark.parametrize("resume", [False, True])
def test_new_connections(resume: bool, localhost_cert: Paths, tmp_path: Path) -> None:
    """They are counted for each server, with what they cost each side, and who resumes is told."""
    with _two(_S_SERVER, localhost_cert, tmp_path) as servers:
        both = new_connections(servers, resume=resume, seconds=0.6)
    for found in both:
        assert found.made > 4
        # In the seconds of its own turns, and some that a busy machine adds.
        assert found.made / 6 < found.rate < found.made / 0.6
        assert found.resumed == (1.0 if resume else 0.0)
        assert 0 < found.spent < 0.1
        assert 0 < found.spent_by_client < 0.1


def test_requests_in_turns(localhost_cert: Paths, tmp_path: Path) -> None:
    """They are counted for each server, and what they cost it."""
    with _two(_WSGIREF, localhost_cert, tmp_path) as servers:
        both = kept_alive_in_turns(servers, "/", connections=2, seconds=0.6)
    for found in both:
        assert found.made > 4
        assert found.made / 6 < found.rate < found.made / 0.6
        assert 0 < found.spent < 0.1


def test_nobody_there() -> None:
    """There is nothing to count, and nothing is waited for."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        server = Running(pid=os.getpid(), port=nobody.getsockname()[1], started_in=0.0)
        with pytest.raises(Unreadable, match="openssl s_time"):
            new_connections([server], resume=False, seconds=0.5)
        with pytest.raises(Unreadable, match="wrk"):
            kept_alive_in_turns([server], "/", connections=2, seconds=0.5)

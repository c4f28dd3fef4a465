"""Workers, and edges in front of them."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.edge.speaking import Talk
from tests.support.certs import Paths
from tests.support.clients import Address, free_port
from tests.support.process import ROOT, Server
from tests.support.servers import need

LOOPS = ("uvloop", "asyncio")


@dataclass(frozen=True, kw_only=True)
class Workers:
    """uWSGI's workers.

    Arguments:
        path: of their Unix socket.
        seen: a file with a line for each request that reached them.
    """

    path: Path
    seen: Path
    server: Server

    def requests(self) -> list[str]:
        """What reached them."""
        return self.seen.read_text(encoding="latin-1").splitlines() if self.seen.exists() else []


@dataclass(frozen=True, kw_only=True)
class RunningEdge:
    """An edge, and how to reach it."""

    address: Address
    ca: Path
    server: Server

    def talk(self, **more: Any) -> Talk:
        """A connection to it."""
        return Talk(self.address, self.ca, **more)

    @property
    def url(self) -> str:
        """For curl."""
        return f"https://localhost:{self.address[1]}"


@contextlib.contextmanager
def run_workers(*options: str, processes: int = 2, threads: int = 4) -> Iterator[Workers]:
    """uWSGI as it is behind the edge."""
    need("uwsgi")
    # A Unix socket's path has 108 bytes at most, pytest's folders may be longer.
    with tempfile.TemporaryDirectory(prefix="edge-") as folder:
        path, seen = Path(folder) / "workers.sock", Path(folder) / "seen"
        command = [
            Path(sys.executable).parent / "uwsgi", "--strict", "--need-app", "--die-on-term", "--master",
            "--socket", path, "--processes", str(processes), "--threads", str(threads), "--buffer-size", "65535",
            "--max-vars", "256", "--socket-timeout", "70", "--module", "tests.applications.behind_edge:application",
            "--binary-path", sys.executable, *options,
        ]  # fmt: skip
        environment = {"SEEN": str(seen)}
        if sys.prefix != sys.base_prefix:
            environment["VIRTUAL_ENV"] = sys.prefix
        with Server(command, env=environment, cwd=ROOT) as server:
            server.until_logged("spawned uWSGI worker 1")
            yield Workers(path=path, seen=seen, server=server)


@contextlib.contextmanager
def run_edge(
    upstream: Path,
    certificate: Paths,
    ca: Path,
    *,
    loop: str = "uvloop",
    limits: dict[str, Any] | None = None,
    handshake_timeout: float = 10,
    server_name: str | None = None,
    client_ca: Path | None = None,
    ipv6: bool = False,
    access_log: bool = False,
    descriptors: int | None = None,
) -> Iterator[RunningEdge]:
    """An edge in a process of its own."""
    host = "::1" if ipv6 else "127.0.0.1"
    port = free_port(host)
    options = {
        "port": port, "cert": str(certificate.fullchain), "key": str(certificate.key), "upstream": str(upstream),
        "loop": loop, "limits": limits or {}, "handshake_timeout": handshake_timeout, "server_name": server_name,
        "client_ca": None if client_ca is None else str(client_ca), "ipv6": ipv6, "access_log": access_log,
        "descriptors": descriptors,
    }  # fmt: skip
    with Server([sys.executable, "-m", "tests.edge.run", json.dumps(options)], cwd=ROOT) as server:
        server.until_logged("ready")
        yield RunningEdge(address=(host, port), ca=ca, server=server)
        log = server.log()
        assert "Traceback" not in log
        assert "Fatal" not in log


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    """2 processes of 4 threads."""
    with run_workers() as running:
        yield running


@pytest.fixture(scope="session", params=LOOPS)
def edge(
    request: pytest.FixtureRequest, workers: Workers, localhost_cert: Paths, ca_file: Path
) -> Iterator[RunningEdge]:
    """An edge with the default limits, on each event loop."""
    with run_edge(workers.path, localhost_cert, ca_file, loop=request.param) as running:
        yield running


EdgeMaker = Callable[..., AbstractContextManager[RunningEdge]]


@pytest.fixture(scope="session")
def edge_with(workers: Workers, localhost_cert: Paths, ca_file: Path) -> EdgeMaker:
    """Makes an edge with other limits, or in front of something else (``upstream``)."""

    def make(*, upstream: Path | None = None, **options: Any) -> AbstractContextManager[RunningEdge]:
        return run_edge(upstream or workers.path, localhost_cert, ca_file, **options)

    return make


def memory(pid: int) -> int:
    """Resident bytes of a process (proc(5))."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")

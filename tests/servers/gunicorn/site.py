"""gunicorn: run as a program it serves; imported it starts that program, and asks."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.applications.gunicorn import application
from tests.support.certs import Paths
from tests.support.clients import Address, free_port, tls_connect
from tests.support.plans import make_plan
from tests.support.process import PATIENCE, ROOT, Server, thread_states
from tlsrun.servers import gunicorn
from tlsrun.tls.policy import Policy

#: How often the module that starts the server was executed, over all processes: a file with a line for each.
IMPORTS = "GUNICORN_SITE_IMPORTS"
GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Site:
    """A running site."""

    def __init__(self, server: Server, address: Address, ca: Path) -> None:
        self.server = server
        self.address = address
        self.ca = ca

    def get(self, path: str = "/", timeout: float = PATIENCE) -> str:
        """The body of a page, over a connection of its own."""
        with tls_connect(self.address, self.ca, timeout=timeout) as client:
            client.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % path.encode())
            answer = b""
            while part := client.recv(65536):
                answer += part
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), answer
        return body.decode()

    def workers(self) -> set[int]:
        """The worker processes."""
        children = Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children").read_text()
        return set(map(int, children.split()))

    def until_booted(self, workers: int) -> set[int]:
        """Wait until so many workers serve: each runs its threads, which come last."""

        def booted() -> set[int]:
            pids = self.workers()
            ready = {pid for pid in pids if len(thread_states(pid)) >= 3}
            return pids if len(ready) == workers else set()

        return self.server.wait_for(booted, what=f"{workers} booted workers")


@contextlib.contextmanager
def serving(paths: Paths, ca: Path, *, env: Mapping[str, str] | None = None, **plan: Any) -> Iterator[Site]:
    """Serve `application` under gunicorn while the block runs; ``plan`` is for `make_plan`."""
    port = free_port(plan.get("host", "127.0.0.1"))
    job = {"cert": str(paths.fullchain), "key": str(paths.key), "port": port, **plan}
    command = [sys.executable, "-W", "error", "-m", "tests.servers.gunicorn.site", json.dumps(job)]
    with Server(command, env={"PYTHONPATH": str(ROOT), **(env or {})}, cwd=ROOT) as server:
        address = (plan.get("host", "127.0.0.1"), port)
        server.until_tls(address)
        yield Site(server, address, ca)


def main() -> None:
    """Serve what the command line says."""
    if IMPORTS in os.environ:
        with Path(os.environ[IMPORTS]).open("a") as file:
            file.write(f"{os.getpid()}\n")
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    job = json.loads(sys.argv[1])
    policy = Policy(max_version=job.pop("max_version", None))
    sys.exit(gunicorn.SERVER.launch(make_plan("gunicorn", policy=policy, **job), application))


if __name__ == "__main__":
    main()

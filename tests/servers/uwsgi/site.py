"""uWSGI: run as a program it serves; imported it starts that program, and asks."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.applications.uwsgi import BEGUN, application
from tests.support.certs import Paths
from tests.support.clients import Address, Response, free_port, https_get, tls_connect
from tests.support.load import Load
from tests.support.plans import make_plan
from tests.support.process import PATIENCE, ROOT, Server, eventually
from tests.support.servers import need
from tlsrun.errors import ConfigurationError
from tlsrun.servers import uwsgi
from tlsrun.servers.uwsgi import launch as uwsgi_launch

#: A file with a line for each time that the module which starts the server was executed.
IMPORTS = "SITE_IMPORTS"
MODULE = ("-m", "tests.servers.uwsgi.site")


class Site:
    """A running site."""

    def __init__(self, server: Server, address: Address, ca: Path) -> None:
        self.server = server
        self.address = address
        self.ca = ca

    def ask(self, path: str = "/", *, headers: Mapping[str, str] | None = None, timeout: float = PATIENCE) -> Response:
        """The answer to a request over a connection of its own."""
        url = f"https://localhost:{self.address[1]}{path}"
        return https_get(url, self.ca, headers=headers, address=self.address, timeout=timeout)

    def get(self, path: str = "/", *, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What the application saw."""
        answer = self.ask(path, headers=headers)
        assert answer.status == 200, (answer.status, answer.body)
        seen: dict[str, Any] = json.loads(answer.body)
        return seen

    def children(self) -> list[int]:
        """The processes that the master has forked: workers first, then keeper and edges."""
        found = Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children").read_text()
        return sorted(map(int, found.split()))

    def reload(self) -> None:
        """Send SIGHUP, and wait until the workers are other ones."""
        before = self.get()["pid"]
        self.server.signal(signal.SIGHUP)
        self.server.wait_for(lambda: before not in self.children(), what="the end of the old workers")
        self.server.until_tls(self.address)


@contextlib.contextmanager
def serving(
    paths: Paths,
    ca: Path,
    *,
    program: Sequence[str | Path] = MODULE,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    **plan: Any,
) -> Iterator[Site]:
    """Serve `application` under uWSGI while the block runs; what ``plan`` holds is for the `Plan`."""
    need("uwsgi")
    host = plan.get("host", "127.0.0.1")
    job = {"cert": str(paths.fullchain), "key": str(paths.key), "port": free_port(host), **plan}
    command = [sys.executable, "-W", "error", *program, json.dumps(job)]
    with Server(command, env={"PYTHONPATH": str(ROOT), **(env or {})}, cwd=cwd) as server:
        address = (host, job["port"])
        server.until_tls(address)
        yield Site(server, address, ca)
        assert "Traceback" not in server.log()


@contextlib.contextmanager
def asking(site: Site, *, kept: bool, clients: int = 4) -> Iterator[Load]:
    """Have clients ask while the block runs, over one connection each (``kept``) or over a new one each time."""
    connections = [http.client.HTTPConnection(*site.address) for _ in range(clients)]

    def ask(connection: http.client.HTTPConnection, load: Load) -> None:
        try:
            if connection.sock is None:
                connection.sock = tls_connect(site.address, site.ca)
            connection.request("GET", "/slow/0.005", headers={} if kept else {"Connection": "close"})
            with connection.getresponse() as answer:
                assert (answer.status, answer.read()[:1]) == (200, b"{")
        except BaseException:
            connection.close()
            raise
        load.answers += 1

    try:
        with Load(*(partial(ask, connection) for connection in connections)) as load:
            eventually(lambda: load.answers or load.failures)
            yield load
    finally:
        for connection in connections:
            connection.close()


@contextlib.contextmanager
def in_flight(
    cert: Paths, ca: Path, folder: Path, seconds: float, **plan: Any
) -> Iterator[tuple[Site, Callable[[], Any]]]:
    """A site whose worker is at a request of ``seconds``, and a function that waits for what became of it."""
    begun = folder / "begun"
    outcome: list[Any] = []
    with serving(cert, ca, env={BEGUN: str(begun)}, **plan) as site:

        def ask() -> None:
            try:
                outcome.append(site.ask(f"/slow/{seconds}").status)
            except OSError as error:
                outcome.append(error)

        def result() -> Any:
            thread.join()
            return outcome[0]

        thread = threading.Thread(target=ask)
        thread.start()
        eventually(begun.exists)
        yield site, result
        thread.join()


def main() -> None:
    """Serve what the command line says."""
    if IMPORTS in os.environ:
        with Path(os.environ[IMPORTS]).open("a") as file:
            file.write(f"{os.getpid()}\n")
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    job = json.loads(sys.argv[1])
    if "leave_for" in job:
        os.chdir(job.pop("leave_for"))
    if "edges" in job:
        edges = job.pop("edges")
        uwsgi_launch._edges = lambda workers: edges
    try:
        sys.exit(uwsgi.SERVER.launch(make_plan("uwsgi", **job), application))
    except ConfigurationError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

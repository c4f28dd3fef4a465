"""One application under every server that this project drives."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.certs import Paths
from tests.support.clients import Address, Response, free_port, https_get
from tests.support.process import APPLICATIONS, Server


@dataclass(frozen=True, kw_only=True)
class Site:
    """A running server.

    Arguments:
        name: of the server.
        port: where it listens.
        ca: what its clients trust.
        server: the process.
    """

    name: str
    port: int
    ca: Path
    server: Server

    @property
    def address(self) -> Address:
        """Where it listens."""
        return ("127.0.0.1", self.port)

    def get(self, path: str = "/", *, name: str = "localhost", **more: Any) -> Response:
        """One page over one new connection."""
        return https_get(f"https://{name}:{self.port}{path}", self.ca, address=self.address, **more)

    def facts(self, **more: Any) -> dict[str, Any]:
        """What the application says it sees."""
        seen: dict[str, Any] = json.loads(self.get(**more).body)
        return seen


Serve = Callable[..., AbstractContextManager[Site]]

_SITE = APPLICATIONS / "connection.py"

#: Those whose TLS is Python's, under our context; Granian's is its own, and has tests of its own.
SERVERS = ("builtin", "gunicorn", "uwsgi", "hypercorn")

#: Processes of a whole server of two workers: there are masters, and with uWSGI a keeper and an edge.
_PROCESSES = {"builtin": 1, "gunicorn": 3, "uwsgi": 5, "granian": 3, "hypercorn": 3}


def serving(name: str, ca_file: Path, default: Paths) -> Serve:
    """Starts an application under one of the servers, with further flags; 2 workers of 4 threads where there are any.

    Arguments:
        cert: the server's certificate; None leaves it to the application's own configuration.
        threads: of each worker; None leaves them to the server.
        app: the application, a file of this folder and a name.
        env: added to the environment.
    """

    @contextlib.contextmanager
    def start(
        *flags: str | Path,
        cert: Paths | None = default,
        threads: int | None = 4,
        app: str = f"{_SITE}:app",
        **env: str,
    ) -> Iterator[Site]:
        port = free_port()
        command = [sys.executable, "-m", "tlsrun", "run", app, "--server", name, "--port", str(port)]
        if cert is not None:
            command += ["--cert", str(cert.fullchain), "--key", str(cert.key)]
        if name != "builtin":
            command += ["--workers", "2"] + (["--threads", str(threads)] if threads else [])
        with Server([*command, *map(str, flags)], env=env) as server:
            server.until_tls(("127.0.0.1", port))
            server.wait_for(lambda: len(server.members()) == _PROCESSES[name], what="all of its processes")
            if name == "hypercorn":
                server.until_logged("serving on https://")  # one that is killed before is a failed start
            yield Site(name=name, port=port, ca=ca_file, server=server)

    return start

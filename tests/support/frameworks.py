"""Flask and Bottle under every server that speaks more than HTTP/1.1."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.applications.pages import FOLDER
from tests.support.certs import Paths
from tests.support.clients import Address, Curl, curl, free_port
from tests.support.process import PATIENCE, ROOT, Server
from tests.support.servers import need
from tlsrun import servers
from tlsrun.settings.words import SERVERS

#: Those that speak HTTP/2.
MODERN = [name for name in SERVERS if "2" in servers.load(name).probe().http]
FRAMEWORKS = ("flask", "bottle")


@dataclass(frozen=True, kw_only=True)
class Site:
    """A running application.

    Arguments:
        name: of the server.
        framework: ``flask`` or ``bottle``.
        port: where it listens.
        ca: what its clients trust.
        server: the process.
        folder: by which the application and the test talk.
    """

    name: str
    framework: str
    port: int
    ca: Path
    server: Server
    folder: Path

    @property
    def address(self) -> Address:
        """Where it listens."""
        return ("127.0.0.1", self.port)

    @property
    def url(self) -> str:
        """Its front page, by the name in its certificate."""
        return f"https://localhost:{self.port}"

    def curl(self, path: str, *arguments: str, deadline: float = PATIENCE) -> Curl:
        """Ask with curl."""
        resolve = f"localhost:{self.port}:127.0.0.1"
        return curl(f"{self.url}{path}", self.ca, "--resolve", resolve, *arguments, deadline=deadline)

    def seen(self, *arguments: str) -> dict[str, Any]:
        """What the application says it sees."""
        found: dict[str, Any] = json.loads(self.curl("/", *arguments).body)
        return found


class Begin(Protocol):
    """Starts the site with further flags."""

    def __call__(
        self, *flags: str, threads: int = ..., until_tls: bool = ..., **env: str
    ) -> AbstractContextManager[Site]: ...


def beginning(name: str, framework: str, cert: Paths, ca: Path, folder: Path) -> Begin:
    """What starts the site of a framework under a server; it and the test talk by ``folder``."""

    @contextlib.contextmanager
    def begin(*flags: str, threads: int = 4, until_tls: bool = True, **env: str) -> Iterator[Site]:
        need(name)
        port = free_port()
        command = [
            sys.executable, "-m", "tlsrun", "run", f"tests.applications.{framework}_pages:app", "--server", name,
            "--port", str(port), "--workers", "2", "--threads", str(threads),
            "--cert", str(cert.fullchain), "--key", str(cert.key), *flags,
        ]  # fmt: skip
        with Server(command, env={FOLDER: str(folder), **env}, cwd=ROOT) as server:
            if until_tls:
                server.until_tls(("127.0.0.1", port))
            yield Site(name=name, framework=framework, port=port, ca=ca, server=server, folder=folder)

    return begin


def program(name: str, package: str) -> str:
    """The path of a client; a test without it is skipped, and fails in CI."""
    found = shutil.which(name)
    if found is None:
        complaint = f"{name} is not installed. Run: apt-get install {package}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(complaint)
    return str(found)

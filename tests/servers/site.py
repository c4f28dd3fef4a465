"""The application of PEP 3333's corners under Granian or Hypercorn, started and asked."""

from __future__ import annotations

import ast
import contextlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.applications.pep_3333 import FOLDER
from tests.support.certs import Paths
from tests.support.clients import Address, Response, free_port, https_get, tls_connect
from tests.support.process import ROOT, Server, eventually
from tlsrun.status import running

FORGED = {
    "SSL_CERT_FILE": "/forged", "SSL_CLIENT_VERIFY": "SUCCESS", "SSL_CLIENT_S_DN": "CN=forged", "HTTPS": "forged",
    "HTTP_X_FORWARDED_PROTO": "forged", "REMOTE_USER": "forged", "CONTENT_LENGTH": "7", "PATH_INFO": "/forged",
}  # fmt: skip


class Site:
    """The running server."""

    def __init__(self, server: Server, address: Address, ca: Path, folder: Path) -> None:
        self.server = server
        self.address = address
        self.ca = ca
        self.folder = folder

    def get(self, path: str, **more: Any) -> Response:
        """One page over one new connection."""
        return https_get(f"https://localhost:{self.address[1]}{path}", self.ca, address=self.address, **more)

    def environ(self, **headers: str) -> dict[str, Any]:
        """What the application sees of a request with these headers."""
        seen = json.loads(self.get("/environ", headers=headers).body)
        return {name: ast.literal_eval(text) if text[0] in "'T(F" else text for name, text in seen.items()}

    @contextlib.contextmanager
    def asking(self, path: str) -> Iterator[list[Response | Exception]]:
        """One request for a slow page runs while the block does; its answer is there after it."""
        answers: list[Response | Exception] = []

        def ask() -> None:
            try:
                answers.append(self.get(path, timeout=90))
            except Exception as error:
                answers.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            eventually((self.folder / "slow").exists, what="the begin of the request")
            yield answers
        finally:
            thread.join()

    def accepts(self) -> bool:
        """Whether a client comes in."""
        try:
            tls_connect(self.address, None, timeout=10).close()
        except OSError:
            return False
        return True

    def workers(self) -> set[int]:
        """The processes below the supervisor."""
        return set(self.server.members()) - {self.server.pid}


#: Starts the site with further flags.
Serve = Callable[..., contextlib.AbstractContextManager[Site]]


@contextlib.contextmanager
def serving(
    cert: Paths,
    ca: Path,
    folder: Path,
    *flags: str | Path,
    server: str = "granian",
    workers: int = 2,
    until: bool = True,
    **env: str,
) -> Iterator[Site]:
    """Serve `app` while the block runs; with further flags and environment.

    Arguments:
        until: wait until it serves.
    """
    port = free_port()
    command: list[str | Path] = [
        sys.executable, "-W", "error", "-m", "tlsrun", "run", "tests.applications.pep_3333:app", "--server", server,
        "--port", str(port), "--workers", str(workers), "--cert", cert.fullchain, "--key", cert.key, *flags,
    ]  # fmt: skip
    with Server(command, env={FOLDER: str(folder), **env}, cwd=ROOT) as process:
        site = Site(process, ("127.0.0.1", port), ca, folder)
        if until:
            process.until_tls(site.address)
            # Supervisors say so once every worker serves: one that is killed before is a failed start.
            if server == "hypercorn":
                process.until_logged("serving on https://")
            else:
                process.wait_for(lambda: process.pid in {one.pid for one in running()}, what="the end of the start")
            assert len(site.workers()) == workers
        yield site

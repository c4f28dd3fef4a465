"""A program whose code, settings and certificate a test may change, and clients that ask it all the time."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from tests.support.certs import Paths
from tests.support.clients import Address, Response, free_port, https_get, tls_connect
from tests.support.load import Load
from tests.support.process import Server
from tests.support.servers import need

#: Server -> its flags: two workers where there are several.
FLAGS = {
    "builtin": ["--server", "builtin"],
    "gunicorn": ["--server", "gunicorn", "--workers", "2"],
    "gunicorn-sync": ["--server", "gunicorn", "--workers", "2", "--server-options", "worker_class=sync"],
    "uwsgi": ["--server", "uwsgi", "--workers", "2"],
    "granian": ["--server", "granian", "--workers", "2"],
    "hypercorn": ["--server", "hypercorn", "--workers", "2"],
}

#: Answers with its version, its process and what it finds in the environment; ``/slow2`` takes two seconds.
CODE = """
import os, threading

os.environ["REMEMBERED"] = os.environ.get("REMEMBERED", "") + "once"
VERSION = {version!r}

def app(environ, start_response):
    if environ["PATH_INFO"].startswith("/slow"):
        open(os.path.join(os.path.dirname(__file__), "begun"), "w").close()
        threading.Event().wait(float(environ["PATH_INFO"][5:]))
    body = f"{{VERSION}} {{os.getpid()}} {{os.environ.get('REMEMBERED', '')}}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
"""


class Site:
    """The running server, and its program."""

    def __init__(self, server: Server, address: Address, ca: Path, folder: Path) -> None:
        self.server = server
        self.address = address
        self.ca = ca
        self.folder = folder

    def write(self, version: str, *, more: str = "") -> None:
        """Deploy: the code that answers with ``version``, with further lines at its end."""
        write(self.folder, version, more=more)

    def ask(self, path: str = "/") -> Response:
        """One page over one new connection."""
        return https_get(f"https://localhost:{self.address[1]}{path}", self.ca, address=self.address)

    def version(self) -> str:
        """Which code answers a new connection."""
        return self.ask().text.split()[0]

    def hang_up(self) -> None:
        """SIGHUP to the started process."""
        self.server.signal(signal.SIGHUP)

    def until_served_by_all(self, version: str, seconds: float = 60) -> float:
        """Wait until many new connections in a row are answered by ``version``; returns how many seconds it took."""
        began, seen = time.monotonic(), [""]

        def all_new() -> bool:
            seen.append(self.version())
            return seen[-16:] == [version] * 16

        self.server.wait_for(all_new, seconds, what=f"version {version}, seen were {seen[-3:]}")
        return time.monotonic() - began

    def until_refused(self, times: int = 1) -> None:
        """Wait until so many reloads were refused."""
        self.server.wait_for(
            lambda: self.server.log().count("not reloaded, what runs goes on") >= times, what="the refusal"
        )


def write(folder: Path, version: str, *, more: str = "") -> None:
    """The program, replaced as a whole."""
    fresh = folder / "site_code.new"
    fresh.write_text(CODE.format(version=version) + more)
    fresh.replace(folder / "site_code.py")


@contextlib.contextmanager
def serving(
    name: str,
    cert: Paths,
    ca: Path,
    folder: Path,
    *flags: str | Path,
    command: list[str] | None = None,
    before: Sequence[str] = (),
    port: int = 0,
    **env: str,
) -> Iterator[Site]:
    """Serve version "one" while the block runs.

    Arguments:
        name: one of `FLAGS`; "" where the program names its server itself.
        command: in place of ``-m tlsrun run site_code:app``; gets the same flags.
        before: what is put before the whole command, and executes it.
        port: 0 for a free one.
        env: added to the environment.
    """
    if name:
        need(name.partition("-")[0])
    write(folder, "one")
    port = port or free_port()
    words = [*before, sys.executable, *(command or ["-m", "tlsrun", "run", "site_code:app"])]
    more = ["--port", str(port), "--cert", cert.fullchain, "--key", cert.key, "--quiet", *flags]
    # Two versions in the same second, of the same length, are the same to Python's cache.
    variables = {"PYTHONDONTWRITEBYTECODE": "1", **env}
    with Server([*words, *FLAGS.get(name, []), *more], env=variables, cwd=folder) as server:
        site = Site(server, ("127.0.0.1", port), ca, folder)
        server.until_tls(site.address)
        yield site


def asking(site: Site, *, kept: int = 2, new: int = 2) -> Load:
    """Clients that keep their connection for 50 requests, and clients that do so for one."""
    return Load(*[partial(_ask, site, 50)] * kept, *[partial(_ask, site, 1)] * new)


def _ask(site: Site, requests: int, load: Load) -> None:
    """Requests over one connection, until the server says that it closes, or keeps silent about what it does."""
    with tls_connect(site.address, site.ca) as client:
        for _ in range(requests):
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head, body = b"", b""
            while b"\r\n\r\n" not in head:
                part = client.recv(65536)
                assert part, f"the connection ended where an answer should be: {head!r}"
                head += part
            head, _, body = head.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            size = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            while len(body) < size:
                part = client.recv(65536)
                assert part, "the connection ended in mid-answer"
                body += part
            load.answers += 1
            if b"connection: close" in head.lower() or load.over.wait(0.005):
                return

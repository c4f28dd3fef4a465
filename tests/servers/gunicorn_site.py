"""A site under gunicorn: run as a program it serves; imported it starts that program, and asks."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.support.certs import Paths
from tests.support.clients import Address, free_port, tls_connect
from tests.support.process import PATIENCE, ROOT, Server, thread_states
from tlsrun.certificates.identity import IdentitySources, Source, load_identity
from tlsrun.deciding.plan import Plan
from tlsrun.endpoint import Endpoint
from tlsrun.servers import gunicorn
from tlsrun.tls.policy import Policy

#: How often the module that holds the application was executed, over all processes: a file with a line for each.
IMPORTS = "GUNICORN_SITE_IMPORTS"
#: What the slow page writes into the log first.
BEGUN = "the slow page has begun"
GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """A page for each thing that a test wants to know."""
    path = environ["PATH_INFO"]
    name, _, argument = path.strip("/").partition("/")
    status, headers, body = PAGES.get(name, _index)(environ, argument)
    start_response(status, [("Content-Type", "text/plain"), *headers])
    return body


def _answer(text: str, status: str = "200 OK") -> tuple[str, list[tuple[str, str]], list[bytes]]:
    body = text.encode()
    return status, [("Content-Length", str(len(body)))], [body]


def _index(environ: dict[str, Any], argument: str) -> Any:
    return _answer("hello")


def _slow(environ: dict[str, Any], argument: str) -> Any:
    sys.stderr.write(f"{BEGUN}\n")
    threading.Event().wait(float(argument))
    return _answer("slept")


def _upload(environ: dict[str, Any], argument: str) -> Any:
    digest = hashlib.sha256()
    while part := environ["wsgi.input"].read(65536):
        digest.update(part)
    return _answer(digest.hexdigest())


def _download(environ: dict[str, Any], argument: str) -> Any:
    size = int(argument)
    return "200 OK", [("Content-Length", str(size))], (bytes(65536) for _ in range(size // 65536))


def _stream(environ: dict[str, Any], argument: str) -> Any:
    return "200 OK", [], iter([b"", b"one,", b"two,", b"three"])


def _broken(environ: dict[str, Any], argument: str) -> Any:
    def parts() -> Iterator[bytes]:
        yield b"begun"
        raise RuntimeError("in the middle")

    return "200 OK", [], parts()


def _fails(environ: dict[str, Any], argument: str) -> Any:
    raise RuntimeError("at once")


def _status(environ: dict[str, Any], argument: str) -> Any:
    return f"{argument} Whatever", [], []


def _environ(environ: dict[str, Any], argument: str) -> Any:
    known = {key: value for key, value in environ.items() if isinstance(value, (str, bool))}
    return _answer(json.dumps({**known, "socket": type(environ["gunicorn.socket"]).__name__}))


def _pid(environ: dict[str, Any], argument: str) -> Any:
    return _answer(str(os.getpid()))


def _blocked(environ: dict[str, Any], argument: str) -> Any:
    return _answer(str(signal.pthread_sigmask(signal.SIG_BLOCK, [])))


PAGES: Mapping[str, Callable[[dict[str, Any], str], Any]] = {
    "slow": _slow, "upload": _upload, "download": _download, "stream": _stream, "broken": _broken, "fails": _fails,
    "status": _status, "environ": _environ, "pid": _pid, "blocked": _blocked,
}  # fmt: skip


def make_plan(paths: Paths | Mapping[str, str], port: int, **more: Any) -> Plan:
    """What a launch is told."""
    cert, key = (paths.fullchain, paths.key) if isinstance(paths, Paths) else (paths["cert"], paths["key"])
    sources = IdentitySources(cert=Source(given_by="cert", path=Path(cert)), key=Source(given_by="key", path=Path(key)))
    policy = Policy(max_version=more.pop("max_version", None))
    endpoint = Endpoint(host=more.pop("host", "127.0.0.1"), port=port)
    return Plan(
        server="gunicorn", framework="wsgi", endpoint=endpoint, identity=load_identity(sources)[0],
        sources=sources, policy=policy, **more,
    )  # fmt: skip


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
    job = {"paths": {"cert": str(paths.fullchain), "key": str(paths.key)}, "port": port, **plan}
    command = [sys.executable, "-W", "error", "-m", "tests.servers.gunicorn_site", json.dumps(job)]
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
    sys.exit(gunicorn.SERVER.launch(make_plan(job.pop("paths"), job.pop("port"), **job), application))


if __name__ == "__main__":
    main()

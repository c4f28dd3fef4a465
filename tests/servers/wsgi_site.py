"""A plain WSGI application: the corners of PEP 3333, and what a worker of Granian or Hypercorn sees."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.applications.once import counted, once
from tests.support.certs import Paths
from tests.support.clients import Address, Response, free_port, https_get
from tests.support.process import ROOT, Server, eventually
from tlsrun.status import running
from tlsrun.wsgi import application as with_facts

#: A file to which this module adds a line whenever it is executed.
IMPORTS = "WSGI_SITE_IMPORTS"
#: A folder in which files appear when something has happened.
FOLDER = "WSGI_SITE_FOLDER"

if IMPORTS in os.environ:
    with Path(os.environ[IMPORTS]).open("a") as _file:
        _file.write(f"{os.getpid()}\n")


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """A page for each thing that a test wants to know; ``/name/argument``."""
    name, _, argument = environ["PATH_INFO"].strip("/").partition("/")
    page: Iterable[bytes] = PAGES[name](environ, start_response, argument)
    return page


def _text(start_response: Callable[..., Any], text: str) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]


def _environ(environ: dict[str, Any], start_response: Any, argument: str) -> Any:
    return _text(start_response, json.dumps({name: repr(value) for name, value in environ.items()}))


def _pid(environ: dict[str, Any], start_response: Any, argument: str) -> Any:
    return _text(start_response, str(os.getpid()))


def _slow(environ: dict[str, Any], start_response: Any, argument: str) -> Any:
    (Path(os.environ[FOLDER]) / "slow").touch()
    threading.Event().wait(float(argument))
    return _text(start_response, str(os.getpid()))


def _held(environ: dict[str, Any], start_response: Any, argument: str) -> Any:
    """It says that it has begun, and is answered once the test lets go."""
    folder = Path(os.environ[FOLDER])
    (folder / f"held-{argument}").touch()
    eventually((folder / "let-go").exists, what="the test's leave to go on")
    return _text(start_response, argument)


def _mark(environ: dict[str, Any], start_response: Any, argument: str) -> Any:
    """What tells that it was run."""
    (Path(os.environ[FOLDER]) / f"mark-{argument}").touch()
    return _text(start_response, argument)


def _read(environ: dict[str, Any], start_response: Any, argument: str) -> Any:
    """The length of the body; read in another thread for ``/read/elsewhere``, as a Flask view that is async does."""
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(environ["wsgi.input"].read()))
    run, wait = (reader.start, reader.join) if argument == "elsewhere" else (reader.run, lambda: None)
    run()
    wait()
    return _text(start_response, str(len(read[0])))


def _first(environ: dict[str, Any], start_response: Any, argument: str) -> Any:
    """The length of the body; it says when it has read a byte."""
    total = len(environ["wsgi.input"].read(1))
    (Path(os.environ[FOLDER]) / f"first-{argument}").touch()
    while part := environ["wsgi.input"].read(65536):
        total += len(part)
    return _text(start_response, str(total))


def _ample(environ: dict[str, Any], start_response: Any, argument: str) -> Any:
    """So many MiB, whatever is sent."""
    start_response("200 OK", [("Content-Length", str(int(argument) << 20))])
    return [bytes(int(argument) << 20)]


def _lazy(environ: dict[str, Any], start_response: Any, argument: str) -> Iterator[bytes]:
    """``start_response`` is called when the first part is made, as PEP 3333 allows."""
    yield b""
    start_response("203 Lazy", [("X-Lazy", "yes")])
    yield b"la"
    yield b"zy"


def _nothing(environ: dict[str, Any], start_response: Any, argument: str) -> Iterator[bytes]:
    """The status comes behind the last part, which is empty."""
    yield b""
    start_response("203 Nothing", [])


def _write(environ: dict[str, Any], start_response: Any, argument: str) -> Any:
    write = start_response("200 OK", [])
    write(b"written, ")
    return [b"returned"]


def _silent(environ: dict[str, Any], start_response: Any, argument: str) -> Any:
    return [b"no start_response"]


def _twice(environ: dict[str, Any], start_response: Any, argument: str) -> Any:
    start_response("200 OK", [])
    start_response("200 OK", [])
    return [b""]


def _replaced(environ: dict[str, Any], start_response: Any, argument: str) -> Any:
    start_response("200 OK", [("X-First", "yes")])
    try:
        raise RuntimeError("found in time")
    except RuntimeError:
        start_response("502 Replaced", [], sys.exc_info())
    return [b"an error page"]


def _status(environ: dict[str, Any], start_response: Any, argument: str) -> Any:
    start_response(f"{argument} Whatever", [])
    return [b"body"]


def _header(environ: dict[str, Any], start_response: Any, argument: str) -> Any:
    value = {"latin-1": "caf\xe9", "injection": "a\r\nSet-Cookie: b=c", "tab": "a\tb"}[argument]
    start_response("200 OK", [("X-Odd", value), ("X-Even", "yes")])
    return [b"body"]


def _not_bytes(environ: dict[str, Any], start_response: Any, argument: str) -> Any:
    start_response("200 OK", [("Content-Length", "10")])
    return iter([b"bytes", "text"])


def _half(environ: dict[str, Any], start_response: Any, argument: str) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Length", "1000")])
    yield b"half"
    raise RuntimeError("in mid-answer")


def _whole(environ: dict[str, Any], start_response: Any, argument: str) -> Iterator[bytes]:
    """All that was declared comes at once; then the application has something left to do, or to say."""
    start_response("200 OK", [("Content-Length", "5")])
    yield b"whole"
    (Path(os.environ[FOLDER]) / f"after-{argument}").touch()
    if argument == "waits":
        threading.Event().wait(60)
    if argument == "raises":
        raise RuntimeError("after the answer")
    if argument == "more":
        yield b"more"


class _Closing:
    def __init__(self, name: str) -> None:
        self._name = name

    def __iter__(self) -> Iterator[bytes]:
        if self._name == "raises":
            raise RuntimeError("no parts")
        return iter([b"body"])

    def close(self) -> None:
        (Path(os.environ[FOLDER]) / f"closed-{self._name}").touch()
        raise RuntimeError("close() fails")


def _closing(environ: dict[str, Any], start_response: Any, argument: str) -> Any:
    if argument != "silent":
        start_response("200 OK", [])
    return _Closing(argument)


PAGES: dict[str, Callable[[dict[str, Any], Any, str], Any]] = {
    "environ": _environ, "pid": _pid, "slow": _slow, "held": _held, "mark": _mark, "read": _read, "first": _first,
    "ample": _ample, "lazy": _lazy, "nothing": _nothing, "write": _write, "silent": _silent, "twice": _twice,
    "replaced": _replaced, "status": _status, "header": _header, "not-bytes": _not_bytes, "half": _half,
    "whole": _whole, "closing": _closing, "once": once, "counted": counted,
}  # fmt: skip


#: For Granian's own command.
application = with_facts(app)


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
        sys.executable, "-W", "error", "-m", "tlsrun", "run", "tests.servers.wsgi_site:app", "--server", server,
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

"""A page for each thing that gunicorn can be asked."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

#: What the slow page writes into the log first.
BEGUN = "the slow page has begun"


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

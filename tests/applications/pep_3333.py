"""A plain WSGI application: the corners of PEP 3333, and what a worker of Granian or Hypercorn sees."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.applications.once import counted, once
from tests.support.process import eventually
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


def _odd_name(environ: dict[str, Any], start_response: Any, argument: str) -> Any:
    start_response("200 OK", [("X Odd", "a")])
    return [b"body"]


def _not_bytes(environ: dict[str, Any], start_response: Any, argument: str) -> Any:
    start_response("200 OK", [("Content-Length", "10")])
    return iter([b"bytes", "text"])


def _half(environ: dict[str, Any], start_response: Any, argument: str) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Length", "1000")])
    yield b"half"
    raise RuntimeError("in mid-answer")


def _short(environ: dict[str, Any], start_response: Any, argument: str) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Length", "1000")])
    yield b"short"


def _of_the_connection(environ: dict[str, Any], start_response: Any, argument: str) -> Any:
    start_response("200 OK", [("Connection", "close"), ("Keep-Alive", "timeout=5"), ("X-Even", "yes")])
    return [b"body"]


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
    "replaced": _replaced, "status": _status, "header": _header, "odd-name": _odd_name, "not-bytes": _not_bytes,
    "half": _half, "short": _short, "connection": _of_the_connection, "whole": _whole, "closing": _closing,
    "once": once, "counted": counted,
}  # fmt: skip


#: For Granian's own command.
application = with_facts(app)

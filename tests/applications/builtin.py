"""A page for each thing that the built-in server can be asked; the same for Werkzeug's handler and the other."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

#: Set when the page /held/ was asked for; let go to end its answer.
ENTERED, RELEASED = threading.Event(), threading.Event()
CLOSED: list[str] = []
#: A test sets the one that its requests shall meet at.
TOGETHER: list[threading.Barrier] = []


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer by the path's first segment: a method of `Pages`."""
    name, _, argument = environ["PATH_INFO"].strip("/").partition("/")
    result: Iterable[bytes] = getattr(Pages, name or "index")(environ, start_response, argument)
    return result


#: What the page that takes its time writes into the log first.
BEGUN = "the slow page has begun"


class Pages:
    """The pages, by their first segment."""

    @staticmethod
    def index(environ: Any, start: Any, argument: str) -> Any:
        start("200 OK", [("Content-Type", "text/plain")])
        return [b"hello"]

    @staticmethod
    def environ(environ: Any, start: Any, argument: str) -> Any:
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({name: value for name, value in environ.items() if isinstance(value, str)}).encode()]

    @staticmethod
    def kinds(environ: Any, start: Any, argument: str) -> Any:
        start("200 OK", [])
        return [json.dumps({name: type(value).__name__ for name, value in environ.items()}).encode()]

    @staticmethod
    def status(environ: Any, start: Any, argument: str) -> Any:
        start(
            f"{argument} Said So",
            [("X-Said", "so"), ("Content-Length", "9")][: 1 if argument == "204" else 2],
        )
        return [] if argument in ("204", "304") else [b"said so.\n"]

    @staticmethod
    def stream(environ: Any, start: Any, argument: str) -> Any:
        write = start("200 OK", [])
        write(b"zero,")
        return iter([b"", b"one,", b"", b"two"])

    @staticmethod
    def upload(environ: Any, start: Any, argument: str) -> Any:
        digest, size = hashlib.sha256(), 0
        while part := environ["wsgi.input"].read(50_000):
            digest.update(part)
            size += len(part)
        start("200 OK", [])
        return [f"{size} {digest.hexdigest()}".encode()]

    @staticmethod
    def lines(environ: Any, start: Any, argument: str) -> Any:
        start("200 OK", [])
        first = environ["wsgi.input"].readline()
        return [json.dumps([line.decode() for line in [first, *environ["wsgi.input"]]]).encode()]

    @staticmethod
    def ignored(environ: Any, start: Any, argument: str) -> Any:
        start(argument or "200 OK", [])
        return [b"not read"]

    @staticmethod
    def download(environ: Any, start: Any, argument: str) -> Any:
        size = int(argument)
        start("200 OK", [("Content-Length", str(size))])
        return (bytes(65536) for _ in range(size // 65536))

    @staticmethod
    def fails(environ: Any, start: Any, argument: str) -> Any:
        raise RuntimeError("at once")

    @staticmethod
    def exits(environ: Any, start: Any, argument: str) -> Any:
        sys.exit("by mistake")

    @staticmethod
    def late(environ: Any, start: Any, argument: str) -> Any:
        start("200 OK", [])

        def parts() -> Iterator[bytes]:
            yield b"begun"
            raise RuntimeError("in the middle")

        return parts()

    @staticmethod
    def short(environ: Any, start: Any, argument: str) -> Any:
        start("200 OK", [("Content-Length", "100")])
        return [b"not a hundred"]

    @staticmethod
    def long(environ: Any, start: Any, argument: str) -> Any:
        start("200 OK", [("Content-Length", "5")])
        return [b"hello, and ", b"more"]

    @staticmethod
    def silent(environ: Any, start: Any, argument: str) -> Any:
        return [b"no start_response()"]

    @staticmethod
    def text(environ: Any, start: Any, argument: str) -> Any:
        start("200 OK", [])
        return ["text"]

    @staticmethod
    def split(environ: Any, start: Any, argument: str) -> Any:
        start("200 OK", [("X-Split", "a\r\nX-More: b")])
        return [b"split"]

    @staticmethod
    def recovers(environ: Any, start: Any, argument: str) -> Any:
        start("200 OK", [])
        try:
            raise RuntimeError("before the body")
        except RuntimeError:
            start("503 Recovered", [], sys.exc_info())
        return [b"recovered"]

    @staticmethod
    def hop(environ: Any, start: Any, argument: str) -> Any:
        start(
            "200 OK",
            [("Connection", argument), ("Keep-Alive", "timeout=99"), ("Server", "mine"), ("Date", "today")],
        )
        return [b"hop"]

    @staticmethod
    def closing(environ: Any, start: Any, argument: str) -> Any:
        start("200 OK", [])

        class Body(list):  # type: ignore[type-arg]
            def close(self) -> None:
                CLOSED.append(argument)
                if argument == "fails":
                    raise RuntimeError("in close()")

        return Body([b"closed afterwards"])

    @staticmethod
    def held(environ: Any, start: Any, argument: str) -> Any:
        ENTERED.set()
        RELEASED.wait(120)
        start("200 OK", [])
        return [b"released"]

    @staticmethod
    def slow(environ: Any, start: Any, argument: str) -> Any:
        sys.stderr.write(f"{BEGUN}\n")
        threading.Event().wait(float(argument))
        start("200 OK", [])
        return [b"slept"]

    @staticmethod
    def deaf(environ: Any, start: Any, argument: str) -> Any:
        """A main thread that signals do not wake, as in a library's C code, until the pipe is opened."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        try:
            return Pages.until(environ, start, argument)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})

    @staticmethod
    def swallows(environ: Any, start: Any, argument: str) -> Any:
        """An application that catches everything, an interrupt too."""
        try:
            return Pages.slow(environ, start, argument)
        except BaseException:
            start("200 OK", [])
            return [b"swallowed"]

    @staticmethod
    def interrupts(environ: Any, start: Any, argument: str) -> Any:
        """An application that raises what Ctrl-C raises."""
        raise KeyboardInterrupt

    @staticmethod
    def forked(environ: Any, start: Any, argument: str) -> Any:
        """What ended a process of the application's own that was told to end by SIGTERM."""
        child = os.fork()
        if not child:
            threading.Event().wait(60)
            os._exit(1)
        start("200 OK", [])
        while True:
            # The first one comes while the child is still a copy of the server; CPython forgets that one.
            os.kill(child, signal.SIGTERM)
            threading.Event().wait(0.05)
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return [str(os.waitstatus_to_exitcode(status)).encode()]

    @staticmethod
    def until(environ: Any, start: Any, argument: str) -> Any:
        """An answer when somebody has opened the pipe of that name, and has closed it."""
        sys.stderr.write(f"{BEGUN}\n")
        Path("/", argument).read_bytes()
        start("200 OK", [])
        return [b"released"]

    @staticmethod
    def ident(environ: Any, start: Any, argument: str) -> Any:
        start("200 OK", [])
        return [str(threading.get_ident()).encode()]

    @staticmethod
    def closes(environ: Any, start: Any, argument: str) -> Any:
        """As an extension that took the socket over, and is done with it; after a while, if that is said."""
        sock = environ.get("werkzeug.socket") or environ["tlsrun.socket"]
        threading.Event().wait(float(argument or 0))
        sock.close()
        raise ConnectionError

    @staticmethod
    def together(environ: Any, start: Any, argument: str) -> Any:
        """An answer when as many ask for this page at the same time as the barrier has parties."""
        TOGETHER[0].wait(60)
        start("200 OK", [])
        return [b"together"]

    @staticmethod
    def thread(environ: Any, start: Any, argument: str) -> Any:
        start("200 OK", [])
        return [f"{threading.current_thread().name} {environ['wsgi.multithread']}".encode()]

    @staticmethod
    def upgrade(environ: Any, start: Any, argument: str) -> Any:
        sock = environ.get("werkzeug.socket") or environ["tlsrun.socket"]
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
        while data := sock.recv(100):
            sock.sendall(data.upper())
        raise ConnectionError

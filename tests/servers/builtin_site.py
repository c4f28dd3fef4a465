"""A site under the built-in server: run as a program it serves; imported it serves in this process, and asks."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.support.certs import Paths
from tests.support.clients import Address, tls_connect
from tests.support.process import ROOT
from tlsrun.certificates.identity import IdentitySources, Source, load_identity
from tlsrun.deciding.plan import Development, Plan
from tlsrun.endpoint import Endpoint
from tlsrun.listening.address import Listener
from tlsrun.listening.opening import open_all
from tlsrun.servers import builtin
from tlsrun.servers.builtin.options import BuiltinOptions
from tlsrun.servers.builtin.server import BuiltinServer
from tlsrun.servers.builtin.work import Work
from tlsrun.servers.certificates import certificates_of
from tlsrun.tls.policy import Policy
from tlsrun.wsgi import application as with_facts

#: Set when the page /held/ was asked for; let go to end its answer.
ENTERED, RELEASED = threading.Event(), threading.Event()
CLOSED: list[str] = []
#: A test sets the one that its requests shall meet at.
TOGETHER: list[threading.Barrier] = []


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """A page for each thing that a test wants to know; the same for Flask's handler and the other."""
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


def plan_of(paths: Paths, endpoint: Endpoint, **more: Any) -> Plan:
    """A plan for these files."""
    sources = IdentitySources(
        cert=Source(given_by="cert", path=paths.fullchain), key=Source(given_by="key", path=paths.key)
    )
    return Plan(
        server="builtin",
        **{
            "framework": "wsgi",
            "endpoint": endpoint,
            "identity": load_identity(sources)[0],
            "sources": sources,
            "policy": Policy(),
            **more,
        },
    )


@contextlib.contextmanager
def serving(
    paths: Paths,
    handler: Any,
    *,
    host: str = "127.0.0.1",
    threads: int | None = None,
    app: Callable[..., Any] = application,
    handshake_timeout: float = 10,
    **options: Any,
) -> Iterator[tuple[Address, BuiltinServer]]:
    """Serve in this process, by the server itself; yields its address."""
    endpoint = Endpoint(host=host, port=0)
    certificates = certificates_of(plan_of(paths, endpoint, handshake_timeout=handshake_timeout))
    chosen = BuiltinOptions(**options)
    sock = open_all([Listener(place=endpoint)], backlog=chosen.backlog).sockets[0]
    server = BuiltinServer([sock], certificates.context, with_facts(app), handler, options=chosen, work=Work(threads))
    address = sock.getsockname()[:2]
    server.start()
    # Stands for the main thread of a program.
    main = threading.Thread(target=server.work.attend, name="main-of-the-test")
    main.start()
    try:
        yield address, server
    finally:
        RELEASED.set()
        server.close()
        server.finish(5)
        server.work.wake()
        main.join()
        ENTERED.clear()
        RELEASED.clear()


class Talk:
    """One TLS connection on which raw HTTP is spoken."""

    def __init__(self, address: Address, ca: Path | None) -> None:
        self.tls = tls_connect(address, ca)
        # An end without close_notify is an error.
        self.tls.suppress_ragged_eofs = False
        self.file = self.tls.makefile("rb")

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()
        self.tls.close()

    def send(self, data: bytes) -> Talk:
        """Say something."""
        self.tls.sendall(data)
        return self

    def get(self, target: str = "/", *fields: str, method: str = "GET", body: bytes = b"") -> Talk:
        """Ask for a page."""
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *fields, "", ""]
        return self.send("\r\n".join(lines).encode("latin-1") + body)

    def answer(self, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """Status, fields (lower case) and body of the next answer; EOFError when it breaks off."""
        status = int(self._line().split(" ")[1])
        fields = {}
        while line := self._line():
            name, _, value = line.partition(": ")
            fields[name.lower()] = value
        if method == "HEAD" or status in (100, 101, 204, 304):
            return status, fields, b""
        if "content-length" in fields:
            return status, fields, self._read(int(fields["content-length"]))
        if fields.get("transfer-encoding") == "chunked":
            return status, fields, b"".join(iter(self._chunk, b""))
        return status, fields, self.file.read()

    def is_over(self) -> bool:
        """Whether the server closes in order (close_notify), without saying anything more."""
        return self.file.read(1) == b""

    def _line(self) -> str:
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError(line)
        return line[:-2].decode("latin-1")

    def _read(self, size: int) -> bytes:
        data = self.file.read(size)
        if len(data) < size:
            raise EOFError(data)
        return data

    def _chunk(self) -> bytes:
        data = self._read(int(self._line(), 16))
        assert self._line() == ""
        return data


def command(paths: Paths, port: int, *more: str) -> list[str]:
    """The command that serves this site as a program."""
    return [sys.executable, "-m", __name__, str(paths.fullchain), str(paths.key), str(port), *more]


def main() -> int:
    """Serve `application`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("cert", type=Path)
    parser.add_argument("key", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--framework", default="wsgi")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--reload", action="store_true")
    parser.add_argument("--debugger", action="store_true")
    parser.add_argument("--watch")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--option", action="append", default=[])
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s")
    plan = plan_of(
        Paths(fullchain=given.cert, cert=given.cert, chain=given.cert, key=given.key, pair=None),  # type: ignore[arg-type]
        Endpoint(host=given.host, port=given.port),
        framework=given.framework,
        threads=given.threads,
        quiet=given.quiet,
        server_options=dict(option.split("=") for option in given.option),
        development=Development(
            reload=given.reload, debugger=given.debugger, extra_files=(given.watch,) if given.watch else ()
        ),
    )
    return builtin.SERVER.launch(plan, with_facts(application))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())

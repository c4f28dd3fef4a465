"""Each program with its exported file, by target and form; what it takes, and how it is asked."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.export import fronts
from tests.support.certs import Paths
from tests.support.clients import Response, client_context, facts
from tests.support.process import PATIENCE, Server, run

BIN = Path(sys.executable).parent

#: What is said before TLS, by whom the PROXY protocol is believed.
INTRODUCTION = b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 443\r\n"


@dataclass(frozen=True, kw_only=True)
class Serving:
    """A program under test.

    Arguments:
        port, plain: where it serves, and where it redirects.
        text: its file.
        program: the one that reads the file.
        ca: whom clients trust.
        client: whose certificate a client shows; None for nobody's.
        introduced: whether each connection begins with `INTRODUCTION`.
    """

    port: int
    plain: int
    text: str
    program: Server
    ca: Path
    client: Paths | None = None
    introduced: bool = False

    def connect(
        self, *, name: str = "localhost", client: Paths | None = None, introduced: bool | None = None,
        adapt: Callable[[ssl.SSLContext], None] = lambda context: None,
    ) -> ssl.SSLSocket:  # fmt: skip
        """Shake hands; raises OSError where that is refused.

        Arguments:
            client: instead of the usual one.
            adapt: what the client's context is to be besides.
        """
        shown = client or self.client
        context = client_context(self.ca, cert=shown and shown.fullchain, key=shown and shown.key)
        context.set_alpn_protocols(["h2", "http/1.1"])
        adapt(context)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        try:
            if self.introduced if introduced is None else introduced:
                plain.sendall(INTRODUCTION)
            return context.wrap_socket(plain, server_hostname=name)
        except BaseException:
            plain.close()
            raise

    def ask(
        self, path: str = "/", *, name: str = "localhost", client: Paths | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:  # fmt: skip
        """One request over a new connection, by HTTP/1.1."""
        tls = self.connect(name=name, client=client, adapt=lambda context: context.set_alpn_protocols(["http/1.1"]))
        with contextlib.closing(http.client.HTTPConnection("localhost", self.port, timeout=PATIENCE)) as connection:
            connection.sock = tls
            seen = facts(tls)
            connection.request("GET", path, headers=dict(headers or {}))
            with connection.getresponse() as answer:
                return Response(status=answer.status, headers=answer.headers, body=answer.read(), tls=seen)

    def ask_plainly(self, path: str, host: str) -> tuple[int, str, bytes]:
        """Status, Location and body of an answer over plain HTTP."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.plain, timeout=PATIENCE)) as connection:
            if self.introduced:
                connection.connect()
                assert connection.sock is not None
            connection.request("GET", path, headers={"Host": host})
            with connection.getresponse() as answer:
                return answer.status, answer.headers.get("Location", ""), answer.read()

    def answers(self) -> bool:
        """Whether it does."""
        try:
            return self.ask().status < 500
        except (OSError, http.client.HTTPException):
            return False


@contextlib.contextmanager
def started(
    column: tuple[str, str],
    text: str,
    place: Path,
    project: Path,
    ready: Callable[[Server], Serving],
    *,
    before: Sequence[str] = (),
) -> Iterator[Serving]:
    """The program of a target, and the application's side where that is another's.

    Arguments:
        place: a folder for its files; the socket of the application is ``s`` in it.
        ready: what is asked until it answers.
        before: a command that starts the program.
    """
    with ExitStack() as stack:
        env: dict[str, str] = {}
        name, form = column
        if name in fronts.FRONTS and column != ("apache", "wsgi") and form != "tls":
            stack.enter_context(fronts.application(text, place / "s"))
        if name in fronts.FRONTS:
            words, env = fronts.front_words(name, form, text, place, project)
        elif name == "uwsgi-ini":
            (place / "site.ini").write_text(text)
            words = [_uwsgi(form), "--ini", place / "site.ini"]
        elif name == "gunicorn-conf":
            (place / "gunicorn.conf.py").write_text(text)
            words = [BIN / "gunicorn", "-c", place / "gunicorn.conf.py"]
        else:
            (place / "hypercorn.toml").write_text(text)
            command = fronts.application_side(text).replace("hypercorn.toml", f"{place}/hypercorn.toml")
            words = ["sh", "-c", command.replace("\n", "\nexec env ", 1)]
        server = stack.enter_context(Server([*before, *words], cwd=project, env=env))
        serving = ready(server)
        if form != "tls":
            server.wait_for(serving.answers, what="an answer")
        yield serving


def _uwsgi(form: str) -> Path:
    if form == "edge":
        return BIN / "uwsgi"
    program = os.environ.get("TLSRUN_TEST_UWSGI_SSL")
    if not program:
        complaint = "TLSRUN_TEST_UWSGI_SSL names no uWSGI with SSL. Run: pip install --no-binary=pyuwsgi pyuwsgi"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(complaint)
    return Path(program)


def python_of(column: tuple[str, str]) -> Path:
    """The interpreter that exports for this program: its own virtual environment stands in the file."""
    return _uwsgi("native").parent / "python" if column == ("uwsgi-ini", "native") else Path(sys.executable)


def refused(action: Callable[[], object]) -> bool:
    """Whether the handshake, or the first thing read after it, fails."""
    try:
        made = action()
    except (OSError, http.client.HTTPException):
        return True
    if isinstance(made, Response):
        return made.status == 400
    assert isinstance(made, ssl.SSLSocket)
    with made:
        made.settimeout(PATIENCE)
        try:
            made.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            data = made.recv(100)
        except OSError:
            return True
        return not data or b" 400 " in data[:20]


def speaks_group(port: int, group: str) -> bool:
    """Whether a client that knows this key exchange group alone is served."""
    done = run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", "-groups", group],
               input="")  # fmt: skip
    return "Cipher is (NONE)" not in done.stdout and "New, " in done.stdout

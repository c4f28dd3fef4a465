"""Each front with awkward requests: the path arrives as it was sent, redirects keep it, events are not held back."""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

import pytest

from tests.export import fronts
from tests.support.certs import Paths
from tests.support.clients import free_port, tls_connect
from tests.support.process import Server

#: No client mends them: `curl --path-as-is` and scripts send them so.
PATHS = (
    "/a%2Fb",
    "/a%2fb/c%2F",
    "/a%3Fb",
    "/a%3fb?c=d%3Fe",
    "/a%25b",
    "/a%252Fb",
    "/a%23b",
    "/a%20b+c",
    "/a//b",
    "//a/b",
    "/a/b//",
    "/gr%C3%BC%C3%9Fe",
    "/%FF%FE",
    "/a%5Cb",
    "/%22%27%3C%3E%7B%7D%7C%5E%60",
    "/a;b=c,d:e@f!$&'()*~",
    "/",
    "/a",
    "/a?",
    "/?a=b?c&d=%2F%3D&e=/f//g",
)

#: Path segments that RFC 3986, section 6.2.2.3, has resolved; some fronts do so, the others leave them.
DOTS = ("/a/./b", "/a/../b", "/a/%2E%2E/b")


@dataclass(frozen=True, kw_only=True)
class Front:
    """A front under test.

    Arguments:
        target, form: what was exported.
        port: where it serves HTTPS.
        plain: where it sends plain HTTP on.
        program: the front itself.
        place: where the application says how far its events are.
    """

    target: str
    form: str
    port: int
    plain: int
    program: Server
    place: Path


@pytest.fixture(scope="module", params=fronts.CASES, ids="-".join)
def front(request: pytest.FixtureRequest, project: Path, localhost_cert: Paths) -> Iterator[Front]:
    """One of them, with the application's side as the comment on top of the file says."""
    target, form = request.param
    place = Path(tempfile.mkdtemp(prefix="p-", dir=project))
    place.chmod(0o755)
    port, plain = free_port(), free_port()
    text = fronts.export(
        project, target, "inwsgi:app", "--upstream", form, "--cert", localhost_cert.fullchain,
        "--key", localhost_cert.key, "--host", "127.0.0.1", "--port", str(port), "--redirect-port", str(plain),
        "--socket", place / "s", "--certificates", place,
    )  # fmt: skip
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, place)
        program = stack.enter_context(fronts.front(target, form, text, place, project, port))
        yield Front(target=target, form=form, port=port, plain=plain, program=program, place=place)


def said(sock: socket.socket, target: str, host: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body; the request is sent byte for byte, which no client does."""
    with sock:
        sock.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("latin-1"))
        answer = b""
        while part := sock.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    return (
        int(line.split()[1]),
        {name.lower(): value for name, _, value in (one.partition(": ") for one in fields)},
        body,
    )


def seen(front: Front, target: str, ca: Path) -> dict[str, str]:
    """What the application saw."""
    status, headers, body = said(tls_connect(("127.0.0.1", front.port), ca), target, f"localhost:{front.port}")
    assert status == 200, (target, status, body, front.program.log())
    if headers.get("transfer-encoding") == "chunked":
        body = body[body.index(b"{") : body.rindex(b"}") + 1]
    found: dict[str, str] = json.loads(body)
    return found


def redirected(front: Front, target: str, host: str) -> tuple[int, str]:
    """Status and Location of the answer to plain HTTP."""
    status, headers, _ = said(socket.create_connection(("127.0.0.1", front.plain), timeout=15), target, host)
    return status, headers.get("location", "")


def test_the_path_as_it_was_sent(front: Front, ca_file: Path) -> None:
    """PATH_INFO is what stands in the request, decoded once; the query is untouched."""
    wrong = {}
    for target in PATHS:
        parts = urlsplit(f"https://localhost{target}")
        status, headers, body = said(tls_connect(("127.0.0.1", front.port), ca_file), target, "localhost")
        got = json.loads(body[body.index(b"{") : body.rindex(b"}") + 1]) if status == 200 else {}
        if (got.get("path"), got.get("query")) != (unquote_to_bytes(parts.path).decode("latin-1"), parts.query):
            wrong[target] = (status, got)
    assert wrong == {}, front.program.log()[-1500:]


def test_a_redirect_keeps_it(front: Front) -> None:
    """Every byte of it."""
    wrong = {}
    for target in PATHS:
        status, location = redirected(front, target, "localhost")
        if (status, location) != (308, f"https://localhost:{front.port}{target}"):
            wrong[target] = status, location
    assert wrong == {}, front.program.log()[-1500:]


@pytest.mark.parametrize(
    ("host", "name"),
    [("localhost:8080", "localhost"), ("127.0.0.1", "127.0.0.1"), ("127.0.0.1:80", "127.0.0.1"), ("[::1]", "[::1]"),
     ("[::1]:8080", "[::1]"), ("LOCALHOST", "localhost")],
)  # fmt: skip
def test_a_redirect_of_a_host(front: Front, host: str, name: str) -> None:
    """IPv6 keeps its brackets, and the port is that of HTTPS."""
    status, location = redirected(front, "/a?b", host)
    assert (status, location.lower()) == (308, f"https://{name}:{front.port}/a?b"), (location, front.program.log())


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_events(front: Front, ca_file: Path, version: str) -> None:
    """The first of them arrives while the application waits with the second, however small it is."""
    seen = front.place / f"seen{version}"
    url = f"https://localhost:{front.port}/events?{seen}"
    command = ["curl", "-q", "-sSN", "--noproxy", "*", "--cacert", str(ca_file), version, url]
    with Server(command) as client:
        client.until_logged("data: 1", 10)
        assert "data: 2" not in client.log()
        seen.touch()
        assert client.wait() == 0
        assert "data: 2" in client.log()


def test_dots(front: Front, ca_file: Path) -> None:
    """Where the path goes on as it is they are the application's affair; else they are resolved (RFC 3986, 5.2.4)."""
    resolves = front.form in ("uwsgi", "wsgi")
    paths = [seen(front, target, ca_file)["path"] for target in DOTS]
    assert paths == (["/a/b", "/b", "/b"] if resolves else ["/a/./b", "/a/../b", "/a/../b"])

"""Nothing malformed reaches an application, nor what stands behind it: one table, wherever HTTP/1.1 is ours."""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.applications import behind_edge
from tests.edge.conftest import Workers, run_edge, run_workers
from tests.edge.speaking import Talk
from tests.http1.malformed import MALFORMED, OTHERWISE_REFUSED
from tests.servers.builtin.site import serving
from tests.support.certs import Paths
from tests.support.clients import Address, free_port
from tests.support.process import ROOT, Server
from tests.support.servers import need
from tlsrun.servers.builtin.with_stdlib import StandardHandler
from tlsrun.servers.builtin.with_werkzeug import WerkzeugHandler

_NEXT = b"GET /hello?behind HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A running server, and what reached its application.

    Arguments:
        seen: a file with a line for each request.
        reads_first: whether a request reaches the application only when it is there to its end.
    """

    address: Address
    ca: Path
    seen: Path
    reads_first: bool = False

    def talk(self) -> Talk:
        """A connection to it."""
        return Talk(self.address, self.ca)

    def requests(self) -> list[str]:
        """What reached its application."""
        return self.seen.read_text(encoding="latin-1").splitlines() if self.seen.exists() else []


@contextlib.contextmanager
def builtin(handler: type, cert: Paths, ca: Path, seen: Path) -> Iterator[Place]:
    """In this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEEN", str(seen))
        with serving(cert, handler, app=behind_edge.application) as (address, _):
            yield Place(address=address, ca=ca, seen=seen)


@contextlib.contextmanager
def hypercorn(cert: Paths, ca: Path, seen: Path) -> Iterator[Place]:
    """As a program."""
    need("hypercorn")
    port = free_port()
    command = [
        sys.executable, "-m", "tlsrun", "run", "tests.applications.behind_edge:application", "--server", "hypercorn",
        "--port", str(port), "--cert", str(cert.fullchain), "--key", str(cert.key),
    ]  # fmt: skip
    with Server(command, env={"SEEN": str(seen)}, cwd=ROOT) as server:
        server.until_tls(("127.0.0.1", port))
        yield Place(address=("127.0.0.1", port), ca=ca, seen=seen)
        assert "Traceback" not in server.log()


@contextlib.contextmanager
def edge(loop: str, workers: Workers, cert: Paths, ca: Path) -> Iterator[Place]:
    """In front of uWSGI's workers."""
    with run_edge(workers.path, cert, ca, loop=loop) as running:
        yield Place(address=running.address, ca=ca, seen=workers.seen, reads_first=True)


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """Of uWSGI, for both edges."""
    with run_workers() as running:
        yield running


@pytest.fixture(scope="module", params=["stdlib", "werkzeug", "hypercorn", "edge-uvloop", "edge-asyncio"])
def place(
    request: pytest.FixtureRequest, localhost_cert: Paths, ca_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """The built-in server with either handler, Hypercorn, and the edge on each event loop."""
    seen = tmp_path_factory.mktemp("seen") / "requests"
    started = {
        "stdlib": lambda: builtin(StandardHandler, localhost_cert, ca_file, seen),
        "werkzeug": lambda: builtin(WerkzeugHandler, localhost_cert, ca_file, seen),
        "hypercorn": lambda: hypercorn(localhost_cert, ca_file, seen),
        "edge-uvloop": lambda: edge("uvloop", request.getfixturevalue("workers"), localhost_cert, ca_file),
        "edge-asyncio": lambda: edge("asyncio", request.getfixturevalue("workers"), localhost_cert, ca_file),
    }[request.param]()
    with started as running:
        yield running


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(place: Place, name: str) -> None:
    """A malformed request, and one behind it, is answered once, with 400 in words and the end of the connection."""
    before = len(place.requests())
    with place.talk() as talk:
        talk.send(MALFORMED[name].replace(b"/seen", b"/digest") + _NEXT)
        answer = talk.answer()
        assert answer.status == 400
        assert answer.words.startswith("400 Bad Request\nMalformed request: ")
        assert answer.words.count("\n") == 2
        assert answer.header("connection") == "close"
        assert talk.end() == "notified"
    reached = place.requests()[before:]
    assert not any("behind" in line for line in reached)
    # Where a body is read as it comes, the application may be at it when its fault shows.
    assert not (place.reads_first and reached)


@pytest.mark.parametrize("name", OTHERWISE_REFUSED)
def test_refused(place: Place, name: str) -> None:
    """What is refused for another reason is answered with its status, and the connection ends too."""
    before = place.requests()
    data, status = OTHERWISE_REFUSED[name]
    with place.talk() as talk:
        talk.send(data)
        answer = talk.answer()
        assert answer.status == status
        assert answer.words.startswith(f"{status} ")
        assert answer.header("connection") == "close"
        assert talk.end() == "notified"
    assert place.requests() == before


def test_good_before_bad(place: Place) -> None:
    """Requests before a malformed one are answered, in order, and nothing behind it."""
    before = len(place.requests())
    bodies = [b"", b"abc", b"GET "]
    head = b"%s /digest?%d HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
    good = (
        head % (b"GET", 1, b"")
        + head % (b"POST", 2, b"Transfer-Encoding: chunked\r\n")
        + b"3;x\r\nabc\r\n0\r\nX-T: u\r\n\r\n\r\n"
        + head % (b"POST", 3, b"Content-Length: 4\r\n")
        + b"GET "
    )
    with place.talk() as talk:
        talk.send(good + MALFORMED["two lengths"] + _NEXT)
        for body in bodies:
            answer = talk.answer()
            assert answer.status == 200
            assert answer.words.split()[:2] == [str(len(body)), hashlib.sha256(body).hexdigest()]
        assert talk.answer().status == 400
        assert talk.end() == "notified"
    assert place.requests()[before:] == ["GET /digest?1", "POST /digest?2", "POST /digest?3"]

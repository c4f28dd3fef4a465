"""Granian with ``threads=1``: one thread runs the application, whoever the clients are, and waits for none of them."""

from __future__ import annotations

import contextlib
import io
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.servers.site import Site, serving
from tests.support.certs import Paths
from tests.support.clients import tls_connect
from tests.support.http2 import Http2Client
from tests.support.process import eventually
from tests.support.servers import need
from tlsrun.servers.granian import buffered_body, client_threads, queued_response
from tlsrun.servers.granian.buffered_body import BUFFERED_BYTES, BufferedBody
from tlsrun.servers.granian.client_threads import ClientThreads
from tlsrun.servers.granian.queued_response import ClientGone, QueuedResponse
from tlsrun.servers.granian.wsgi import has_body
from tlsrun.servers.store import SharedQuota

MIB = 1 << 20


@pytest.fixture(scope="module")
def site(localhost_cert: Paths, ca_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One worker with one thread."""
    need("granian")
    folder = tmp_path_factory.mktemp("single-thread")
    with serving(localhost_cert, ca_file, folder, "--threads", "1", workers=1) as running:
        yield running


def test_one_thread_runs_everything(site: Site) -> None:
    """Calls, parts of answers, bodies that are read, closing: never two at once, and all in the same thread."""
    before = int(site.get("/counted").text.split()[2])

    def ask(number: int) -> str:
        body = b"x" * (10 * (number % 3))
        return site.get("/once/3", method="POST" if body else "GET", body=body or None).text

    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(ask, range(60)))
    assert sorted(set(answers)) == ["0,0,0,", "10,10,10,", "20,20,20,"]
    # Each is 5 times within: read, three parts, close.
    assert site.get("/counted").text == f"1 1 {before + 300}"
    with Http2Client(site.address, site.ca) as client:
        streams = [client.begin("/once/2", body=bool(number % 2)) for number in range(20)]
        for stream in streams[1::2]:
            client.send(stream, b"x" * 30, end=True)
        assert [client.answer(stream) for stream in streams] == [b"0,0,", b"30,30,"] * 10
    assert site.get("/counted").text.startswith("1 1 ")


_BEYOND = BUFFERED_BYTES + 3 * MIB + 17


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_what_is_collected(site: Site, chunked: bool) -> None:
    """It arrives as a whole: the application reads the rest of it as it comes."""
    size = _BEYOND
    with tls_connect(site.address, site.ca, timeout=60) as tls:
        how = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
        tls.sendall(f"POST /read HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{how}\r\n\r\n".encode())
        left = size
        while left:
            part = bytes(min(left, 100_000))
            tls.sendall(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
            left -= len(part)
        tls.sendall(b"0\r\n\r\n" if chunked else b"")
        answer = b""
        while part := tls.recv(65536):
            answer += part
    assert answer.endswith(b"\r\n\r\n" + str(size).encode()), answer[-200:]


@pytest.mark.parametrize("length", [None, _BEYOND])
def test_such_a_body_over_http_2(site: Site, length: int | None) -> None:
    """With a length and without."""
    with Http2Client(site.address, site.ca) as client:
        headers = {} if length is None else {"content-length": str(length)}
        stream = client.begin("/read", body=True, **headers)
        client.send(stream, bytes(_BEYOND), end=True)
        assert client.answer(stream) == str(_BEYOND).encode()


def test_failures(site: Site) -> None:
    """They are answered with 500, or by an answer that breaks off; the next request finds everything in order."""
    assert site.get("/silent").status == 500
    assert site.get("/twice").status == 500
    with pytest.raises(OSError), contextlib.closing(_ask(site, "/half")) as tls:  # noqa: PT011, PT012
        while tls.recv(65536):
            pass
    assert site.get("/pid").status == 200
    assert site.server.log().count("GET /silent failed") == 1
    assert "in mid-answer" in site.server.log()


def _ask(site: Site, path: str) -> Any:
    tls = tls_connect(site.address, site.ca, timeout=60)
    tls.suppress_ragged_eofs = False
    tls.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    return tls


def test_a_client_that_goes(site: Site) -> None:
    """The answer that it leaves is closed, by the application's thread, and nothing of it is held."""
    site.get("/pid")
    with tls_connect(site.address, site.ca) as tls:
        tls.sendall(b"GET /once/1000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert tls.recv(4096).startswith(b"HTTP/1.1 200")
    # It is the only thread: another request has its turn when that one is over.
    assert site.get("/counted", timeout=60).text.startswith("1 1 ")


def test_a_stop(localhost_cert: Paths, ca_file: Path, tmp_path: Path) -> None:
    """The request that runs is answered."""
    with serving(localhost_cert, ca_file, tmp_path, "--threads", "1", workers=1) as site:
        with site.asking("/slow/2") as answers:
            site.server.signal(signal.SIGTERM)
        assert site.server.wait() == 0
        assert [getattr(answer, "status", answer) for answer in answers] == [200]


# -- parts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({"SERVER_PROTOCOL": "HTTP/1.1", "REQUEST_METHOD": "POST"}, False),
        ({"SERVER_PROTOCOL": "HTTP/1.1", "REQUEST_METHOD": "GET", "CONTENT_LENGTH": "5"}, True),
        ({"SERVER_PROTOCOL": "HTTP/1.1", "REQUEST_METHOD": "POST", "CONTENT_LENGTH": "0"}, False),
        ({"SERVER_PROTOCOL": "HTTP/1.1", "REQUEST_METHOD": "PUT", "HTTP_TRANSFER_ENCODING": "chunked"}, True),
        ({"SERVER_PROTOCOL": "HTTP/2", "REQUEST_METHOD": "POST"}, True),
        ({"SERVER_PROTOCOL": "HTTP/2", "REQUEST_METHOD": "GET"}, True),
        ({"SERVER_PROTOCOL": "HTTP/2", "REQUEST_METHOD": "GET", "CONTENT_LENGTH": "0"}, False),
        ({"SERVER_PROTOCOL": "HTTP/2", "REQUEST_METHOD": "GET", "CONTENT_LENGTH": "5"}, True),
    ],
)
def test_which_requests_may_have_a_body(scope: dict[str, Any], expected: bool) -> None:
    """Nobody waits for the others."""
    assert has_body(scope) is expected


class _Source:
    """A body, and the longest read of it."""

    def __init__(self, data: bytes, error: Exception | None = None) -> None:
        self._data = io.BytesIO(data)
        self._error = error
        self.read_bytes = 0

    def read(self, size: int) -> bytes:
        data = self._data.read(size)
        self.read_bytes += len(data)
        if len(data) < size and self._error is not None:
            raise self._error
        return data

    def close(self) -> None:
        """Nobody reads any more."""


def test_so_much_of_a_body_is_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is read when the application asks for it."""
    monkeypatch.setattr(buffered_body, "BUFFERED_BYTES", 100_000)
    text = bytes(range(256)) * 1000
    stock = SharedQuota(1 << 20, 1 << 20)
    source = _Source(text)
    body = BufferedBody(source, stock)
    body.fill()
    assert (source.read_bytes, body.ended) == (131072, False)
    assert body.read(200_000) == text[:200_000]
    assert (body.read(1 << 20), body.read(1), body.ended) == (text[200_000:], b"", True)


def test_a_body_that_breaks_off() -> None:
    """What had come is read, then the reason is raised; what is not read is let go of."""
    stock = SharedQuota(70_000, 70_000)
    body = BufferedBody(_Source(b"x" * 70_000, ConnectionResetError("gone")), stock)
    body.fill()
    assert body.ended
    assert body.read(60_000) == b"x" * 60_000
    with pytest.raises(ConnectionResetError, match="gone"):
        body.read(10_000)
    other = BufferedBody(_Source(b"x" * 60_000), stock)
    other.fill()
    stock.total.take(10_000)
    assert stock.total.exhausted
    other.close()
    assert not stock.total.exhausted


def _taken(answer: QueuedResponse) -> list[bytes]:
    parts = []
    with contextlib.suppress(StopIteration):
        while True:
            parts.append(next(answer))
    return parts


def test_an_answer_waits_for_its_client() -> None:
    """Its parts are taken in order, those that come while somebody waits for them too; then it ends, or breaks off."""
    answer = QueuedResponse(SharedQuota(1 << 20, 1 << 20))
    answer.put(b"one")
    with ThreadPoolExecutor(1) as sender:
        taken = sender.submit(_taken, answer)
        answer.put(b"two")
        answer.end()
        assert b"".join(taken.result(10)) == b"onetwo"
    broken = QueuedResponse(SharedQuota(1 << 20, 1 << 20))
    broken.put(b"one")
    broken.end(RuntimeError("in mid-answer"))
    assert next(broken) == b"one"
    with pytest.raises(RuntimeError, match="in mid-answer"):
        next(broken)


def test_an_answer_that_nobody_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """So much of it waits; then its client has a while to take some, or is given up, and its sender hears of it."""
    monkeypatch.setattr(queued_response, "MOST", 2 * MIB)
    monkeypatch.setattr(queued_response, "PATIENCE", 0.1)
    stock = SharedQuota(MIB, 1 << 30)
    answer = QueuedResponse(stock)
    answer.put(bytes(2 * MIB))
    with pytest.raises(ClientGone):
        answer.put(b"more")
    with pytest.raises(ConnectionResetError, match="took nothing"):
        next(answer)
    assert not stock.memory.exhausted
    gone = QueuedResponse(stock)
    gone.put(b"one")
    gone.close()
    with pytest.raises(ClientGone):
        gone.put(b"two")


def test_client_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is free is asked again; there are so many, and those that have nothing to do leave."""
    monkeypatch.setattr(client_threads, "MOST_CLIENT_THREADS", 2)
    several = ClientThreads()
    seen: list[int] = []
    go = threading.Event()

    def waits() -> None:
        seen.append(threading.get_ident())
        go.wait(10)

    assert several.try_run(waits)
    assert several.try_run(waits)
    assert not several.try_run(waits)
    assert several.is_parked
    go.set()
    eventually(lambda: len(several._idle) == 2, what="free threads")
    assert several.try_run(waits)
    eventually(lambda: len(seen) == 3, what="the third")
    assert seen[2] in seen[:2]
    monkeypatch.setattr(client_threads, "_REST", 0.01)
    several._count, several._idle[:] = 0, []  # those rest for longer
    assert several.try_run(waits)
    eventually(lambda: several._count == 0, what="the end of one with nothing to do")

"""Large bodies both ways, with flat memory; fast and slow sides."""

from __future__ import annotations

import hashlib
import socket
import threading
import time

import pytest

from tests.edge.conftest import LOOPS, EdgeMaker, RunningEdge, memory
from tests.edge.speaking import Talk
from tests.edge.worker import odd_worker
from tests.support.process import PATIENCE

_GIB = 1 << 30
_MIB = 1 << 20
_PART = b"0123456789abcdef" * 16384


class Peak:
    """The most memory that a process had while the block ran, above what it had before."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.before = self.most = memory(pid)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def growth(self) -> int:
        """In bytes."""
        return self.most - self.before

    def _look(self) -> None:
        while not self._stop.wait(0.02):
            self.most = max(self.most, memory(self._pid))


def upload(talk: Talk, size: int, framing: str) -> str:
    """Send so many bytes; what the application says."""
    talk.ask("/digest", framing, method="POST")
    chunked = "chunked" in framing
    for _ in range(size // len(_PART)):
        talk.send(b"%x\r\n%b\r\n" % (len(_PART), _PART) if chunked else _PART)
    if chunked:
        talk.send(b"0\r\n\r\n")
    return talk.answer().words


def expected(size: int) -> str:
    """What the application says of an upload of so many bytes."""
    read = hashlib.sha256()
    for _ in range(size // len(_PART)):
        read.update(_PART)
    return f"{size} {read.hexdigest()} {size}"


@pytest.mark.full
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("loop", LOOPS)
def test_a_gibibyte(edge_with: EdgeMaker, loop: str) -> None:
    """1 GiB goes each way, of known and of unknown length, and the edge's memory stays flat."""
    with edge_with(loop=loop) as edge:
        with edge.talk() as talk:
            assert talk.get().words == "hello"
        began = time.monotonic()
        with Peak(edge.server.pid) as peak:
            with edge.talk() as talk:
                assert upload(talk, _GIB, f"Content-Length: {_GIB}") == expected(_GIB)
            for path in (f"/size?{_GIB}", f"/stream?{_GIB}"):
                with edge.talk() as talk:
                    talk.ask(path, "Connection: close")
                    assert count(talk) >= _GIB
        assert peak.growth < 30 * _MIB
        assert time.monotonic() - began < 200


@pytest.mark.representatives("")
@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
def test_a_large_chunked_body(edge_with: EdgeMaker, loop: str) -> None:
    """A chunked body of 256 MiB is kept in a file, not in memory."""
    size = 256 * _MIB
    with edge_with(loop=loop) as edge, edge.talk() as talk:
        assert talk.get().words == "hello"
        with Peak(edge.server.pid) as peak:
            assert upload(talk, size, "Transfer-Encoding: chunked") == expected(size)
        assert peak.growth < 30 * _MIB


@pytest.mark.parametrize("path", ["/size", "/stream"])
def test_slow_client(edge: RunningEdge, path: str) -> None:
    """A client that takes nothing for a while does not make the edge hold the answer in memory."""
    size = 200 * _MIB
    with edge.talk(receive_buffer=65536) as talk, Peak(edge.server.pid) as peak:
        talk.ask(f"{path}?{size}", "Connection: close")
        talk.read(1)
        threading.Event().wait(1.5)
        assert peak.growth < 30 * _MIB
        assert count(talk) >= size
        assert peak.growth < 30 * _MIB


@pytest.mark.parametrize("loop", LOOPS)
def test_an_answer_that_is_kept_frees_its_worker(edge_with: EdgeMaker, loop: str) -> None:
    """The worker is done at once, the client has every byte in the end, and its connection goes on."""
    sent = threading.Event()
    body = bytes(range(256)) * (16 * _MIB // 256)

    def script(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        connection.shutdown(socket.SHUT_WR)
        sent.set()

    with (
        odd_worker(script) as worker,
        edge_with(upstream=worker.path, loop=loop) as edge,
        edge.talk(receive_buffer=8192) as talk,
    ):
        for _ in range(2):
            sent.clear()
            talk.ask("/")
            assert sent.wait(PATIENCE)
            assert talk.answer().body == body


@pytest.mark.parametrize("limits", [{"answer": _MIB}, {"answers": _MIB}, {"answer": 0}])
def test_beyond_the_bound_the_worker_waits(edge_with: EdgeMaker, limits: dict[str, int]) -> None:
    """For one answer, and for all of them together."""
    size, sent = 24 * _MIB, threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
        sent.set()

    with (
        odd_worker(script) as worker,
        edge_with(upstream=worker.path, limits=limits) as edge,
        edge.talk(receive_buffer=8192) as talk,
    ):
        talk.ask("/", "Connection: close")
        talk.read(1)
        assert not sent.wait(0.5)
        assert count(talk) >= size
        assert sent.wait(PATIENCE)


def test_what_an_application_says_now_and_then_is_not_held_back(edge: RunningEdge) -> None:
    """Each part is there before the next one is made."""
    with edge.talk() as talk:
        talk.ask("/tick?0.2")
        talk._until(b"\r\n\r\n")
        for part in (b"1\r\n0\r\n", b"1\r\n1\r\n", b"1\r\n2\r\n"):
            assert talk.read(len(part)) == part
            assert talk._left == b""


def test_slow_application(edge: RunningEdge) -> None:
    """An application that reads late does not make the edge hold the body."""
    size = 100 * _MIB
    stopped = threading.Event()

    def send() -> None:
        with edge.talk() as talk:
            talk.ask("/lazy?2.5", f"Content-Length: {size}", method="POST")
            for _ in range(size // len(_PART)):
                talk.send(_PART)
            stopped.set()
            assert talk.answer().words == str(size)

    with Peak(edge.server.pid) as peak:
        sender = threading.Thread(target=send)
        sender.start()
        assert not stopped.wait(1)
        sender.join()
        assert stopped.is_set()
    assert peak.growth < 30 * _MIB


def count(talk: Talk) -> int:
    """Bytes until the clean end of the connection."""
    size = 0
    buffer = bytearray(1 << 18)
    while received := talk.tls.recv_into(buffer):
        size += received
    return size + len(talk._left)


def test_many_at_once(edge: RunningEdge) -> None:
    """Fifty clients upload and download at the same time, more than there are workers, and all succeed."""
    failed: list[BaseException] = []

    def visit(number: int) -> None:
        try:
            with edge.talk() as talk:
                for _ in range(3):
                    body = b"x" * (number * 7919)
                    talk.ask("/digest", method="POST", body=body)
                    assert talk.answer().words.startswith(f"{len(body)} ")
                    assert len(talk.get(f"/stream?{number * 10007}").body) == number * 10007
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed

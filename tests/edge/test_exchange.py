"""What a client gets when workers misbehave, are busy or away."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from pathlib import Path

import pytest

from tests.edge.conftest import LOOPS, EdgeMaker, RunningEdge
from tests.edge.speaking import Talk
from tests.edge.worker import odd_worker, receive
from tests.support.process import PATIENCE, eventually

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def open_files(edge: RunningEdge) -> int:
    """Descriptors that the edge has open."""
    return len(os.listdir(f"/proc/{edge.server.pid}/fd"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\nb\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200000,
    ],
)
def test_no_answer(edge_with: EdgeMaker, data: bytes) -> None:
    """A worker that says nothing, or no HTTP, makes 502 in words, and the connection goes on."""
    with odd_worker(data) as worker, edge_with(upstream=worker.path) as edge, edge.talk() as talk:
        for _ in range(2):
            answer = talk.get()
            assert answer.status == 502
            assert "The application broke off" in answer.words
        edge.server.until_logged(f"ERROR tlsrun.edge the answer of a worker at {worker.path} to GET /: ")


def test_worker_dies(edge: RunningEdge) -> None:
    """A worker that dies before its answer makes 502, one that dies within it a cut, and others go on."""
    with edge.talk() as talk:
        assert talk.get("/die").status == 502
        assert eventually(lambda: talk.get().status == 200)
        talk.ask("/die?midway")
        head = talk._until(b"\r\n\r\n")
        if b" 502 " not in head:
            assert talk.read(5) == b"hello"
            assert talk.end() == "cut off"
    with edge.talk() as talk:
        assert eventually(lambda: talk.get().status == 200)


@pytest.mark.parametrize("framing", [b"Content-Length: 10", b"Transfer-Encoding: chunked"])
def test_broken_off(edge_with: EdgeMaker, framing: bytes) -> None:
    """An answer that breaks off after its head is out ends without a last chunk and without close_notify."""
    more = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n5\r\nhe")
        more.wait(PATIENCE)

    with odd_worker(script) as worker, edge_with(upstream=worker.path) as edge, edge.talk() as talk:
        talk.ask("/")
        talk._until(b"\r\n\r\n")
        talk.read(5)
        more.set()
        talk._left = b""
        assert talk.end() == "cut off"


def test_nobody_listens(edge_with: EdgeMaker, tmp_path: Path) -> None:
    """Without a socket of the workers, and with one on which nobody listens, the answer is 503 in words."""
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "dead"))
    for path in (tmp_path / "none", tmp_path / "dead"):
        with edge_with(upstream=path) as edge, edge.talk() as talk:
            for method in ("GET", "HEAD", "POST"):
                answer = talk.get("/", method=method)
                assert answer.status == 503
                assert answer.header("retry-after") == "1"
                assert method == "HEAD" or "No worker" in answer.words
    dead.close()


def test_complaints_are_bounded(edge_with: EdgeMaker, tmp_path: Path) -> None:
    """Workers that are away do not fill the log, and no query string gets into it."""
    with edge_with(upstream=tmp_path / "none") as edge:
        with edge.talk() as talk:
            for _ in range(300):
                assert talk.get("/a?secret=1").status == 503
        edge.server.signal()
        edge.server.wait()
        log = edge.server.log()
        assert log.count("WARNING tlsrun.edge no worker at") <= 40
        assert "more such lines in the last 10 s" in log
        assert "secret" not in log


def test_busy(edge_with: EdgeMaker) -> None:
    """More requests than the workers' queue holds wait for their turn."""
    with (
        odd_worker(_OK, backlog=1, start=False) as worker,
        edge_with(upstream=worker.path) as edge,
        edge.talk() as first,
        edge.talk() as second,
        edge.talk() as third,
        edge.talk() as fourth,
    ):
        for talk in (first, second, third, fourth):
            talk.ask("/")
        worker.start()
        for talk in (first, second, third, fourth):
            assert talk.answer().words == "ok"


def test_busy_for_too_long(edge_with: EdgeMaker) -> None:
    """Requests that find no room within the time for connecting are answered with 503 in words."""
    with (
        odd_worker(_OK, backlog=0, start=False) as worker,
        edge_with(upstream=worker.path, limits={"connect_timeout": 0.5, "answer_timeout": 60}) as edge,
        edge.talk() as first,
        edge.talk() as second,
        edge.talk() as third,
    ):
        first.ask("/")
        eventually(worker.queued, what="the first request in the queue")  # it has the only place
        second.ask("/")
        third.ask("/")
        for talk in (second, third):
            answer = talk.answer()
            assert answer.status == 503
            assert "busy" in answer.words
            assert answer.header("retry-after") == "1"
        worker.start()
        assert first.answer().words == "ok"
        assert third.get().words == "ok"


@pytest.mark.parametrize("loop", LOOPS)
def test_no_answer_in_time(edge_with: EdgeMaker, loop: str) -> None:
    """A worker that is silent for too long makes 504 in words, one that stops within its answer a cut."""
    done = threading.Event()

    def script(connection: socket.socket) -> None:
        if b"midway" in worker.packets[-1]:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        done.wait(PATIENCE)

    def begins(talk: Talk) -> bool:
        talk.ask("/midway")
        head = talk._until(b"\r\n\r\n")
        if b" 504 " in head:
            talk.read(int(re.findall(rb"Content-Length: (\d+)", head)[0]))
        return b" 200 " in head

    with (
        odd_worker(script) as worker,
        edge_with(upstream=worker.path, limits={"answer_timeout": 1}, loop=loop) as edge,
        edge.talk() as talk,
    ):
        answer = talk.get()
        assert answer.status == 504
        assert "in time" in answer.words
        assert any(begins(talk) for _ in range(5))  # a busy machine may be too slow for that second, too
        assert talk.read(5) == b"hello"
        assert talk.end() == "cut off"
        done.set()


def test_slow_parts_are_no_stall(edge_with: EdgeMaker) -> None:
    """The time for an answer begins anew with each part of it."""
    with edge_with(limits={"answer_timeout": 2}) as patient, patient.talk() as talk:
        assert talk.get("/tick?0.8").body == b"0123"


@pytest.mark.parametrize("loop", LOOPS)
def test_nothing_leaks(edge_with: EdgeMaker, loop: str) -> None:
    """Whatever becomes of requests, no descriptor stays open."""
    with edge_with(loop=loop) as edge:
        with edge.talk() as talk:
            talk.get()
        before = eventually(lambda: open_files(edge))
        for path in ("/", "/stream?1000000", "/status?204", "/long", "/refuse", "/tick?0.01", "/die?midway"):
            with edge.talk() as talk:
                talk.ask(path, method="POST", body=b"x" * 200000)
                talk._more()
            with edge.talk() as talk, contextlib.suppress(OSError):  # it may be cut off meanwhile
                talk.ask(path, "Content-Length: 20000000", method="POST", body=b"x" * 200000)
        eventually(lambda: open_files(edge) <= before, what="the descriptors")


def test_deaf_worker(edge_with: EdgeMaker) -> None:
    """A worker that closes without having read a long body is heard all the same."""
    with odd_worker(b"HTTP/1.1 200 OK\r\n\r\nnot wanted") as worker, edge_with(upstream=worker.path) as edge:
        for size in (100, 500000, 9 << 20):
            with edge.talk() as talk:
                talk.ask("/", f"Content-Length: {size}", method="POST", body=b"x" * min(size, 500000))
                answer = talk.answer()
                assert (answer.status, answer.body) == (200, b"not wanted")


def test_slow_worker_reads_late(edge_with: EdgeMaker) -> None:
    """A long body that the worker takes late comes whole."""
    go = threading.Event()
    body = bytes(range(256)) * 98304  # 24 MiB, more than sockets can hold: tcp(7), tcp_rmem and tcp_wmem
    taken: list[bytes] = []

    def script(connection: socket.socket) -> None:
        go.wait(PATIENCE)
        taken.append(receive(connection, len(body)))
        connection.sendall(_OK)

    with odd_worker(script) as worker, edge_with(upstream=worker.path) as edge, edge.talk() as talk:
        sender = threading.Thread(target=talk.ask, args=("/",), kwargs={"method": "POST", "body": body})
        sender.start()
        sender.join(0.5)
        assert sender.is_alive()
        go.set()
        assert talk.answer().words == "ok"
        sender.join()
    assert taken == [body]

"""A client that goes while its request waits for a worker: the worker comes upon a connection that has ended."""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections.abc import Callable

import pytest

from tests.edge.conftest import LOOPS, EdgeMaker
from tests.edge.speaking import Talk
from tests.edge.worker import odd_worker
from tests.support.process import PATIENCE, eventually

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def _reset(talk: Talk) -> None:
    talk.tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    talk.tls.close()


def _close(talk: Talk) -> None:
    talk.notify()
    talk.tls.close()


def _cut(talk: Talk) -> None:
    talk.tls.close()


def _later(talk: Talk) -> None:
    """It reads the question before it closes: no byte is left unread that would make its system reset."""
    talk.notify()
    assert talk.answer().status == 100
    talk.tls.close()


def _short(talk: Talk) -> None:
    talk.ask("/")


def _chunked(talk: Talk) -> None:
    talk.ask("/", "Transfer-Encoding: chunked", method="POST", body=b"5\r\nhello\r\n0\r\n\r\n")


def _long(talk: Talk) -> None:
    """More than is collected: the edge does not read on until the worker has taken what is there."""
    talk.ask("/", f"Content-Length: {20 << 20}", method="POST", body=b"x" * 1_000_000)


_WAYS = [
    (_short, _reset),
    (_short, _close),
    (_short, _cut),
    (_short, _later),
    (_chunked, _reset),
    (_chunked, _close),
    (_long, _reset),
]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("ask", "goes"), _WAYS, ids=[f"{ask.__name__}{goes.__name__}"[1:] for ask, goes in _WAYS])
def test_taken_back(edge_with: EdgeMaker, loop: str, ask: Callable[[Talk], None], goes: Callable[[Talk], None]) -> None:
    """However it goes. Nobody else's connection ends."""
    ended: list[bool] = []
    go_on = threading.Event()

    def script(connection: socket.socket) -> None:
        if worker.packets[0] is not worker.packets[-1]:
            connection.sendall(_OK)
            return
        poller = select.poll()
        poller.register(connection, 0)  # POLLHUP and POLLERR are always told
        ended.append(eventually(lambda: bool(poller.poll(0)), what="the end of the connection"))
        go_on.wait(PATIENCE)

    with odd_worker(script) as worker, edge_with(upstream=worker.path, loop=loop) as edge, edge.talk() as other:
        talk = edge.talk()
        ask(talk)
        eventually(lambda: worker.packets, what="the request")
        goes(talk)
        eventually(lambda: ended, what="the worker's notice")
        assert other.get().words == "ok"
        go_on.set()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("ends", [Talk.notify, Talk.end_tcp], ids=["close_notify", "TCP alone"])
def test_who_waits_is_answered(edge_with: EdgeMaker, loop: str, version: str, ends: Callable[[Talk], None]) -> None:
    """One that has only ended its side is asked once whether it is there; where HTTP/1.0 is spoken, not even that."""
    go_on = threading.Event()

    def script(connection: socket.socket) -> None:
        go_on.wait(PATIENCE)
        connection.sendall(_OK)

    with odd_worker(script) as worker, edge_with(upstream=worker.path, loop=loop) as edge, edge.talk() as talk:
        talk.ask("/", version=version)
        eventually(lambda: worker.packets, what="the request")
        ends(talk)
        if version == "1.1":
            assert talk.answer().status == 100
        go_on.set()
        assert talk.answer().words == "ok"

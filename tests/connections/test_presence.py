"""Clients that are there, that have ended their side, and that have gone, told apart over real connections."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable, Iterator

import pytest

from tests.support.process import eventually, in_time
from tlsrun.connections import presence
from tlsrun.connections.presence import (
    QUESTION,
    Presence,
    has_gone,
    presence_of,
    seconds_to_answer,
    understands_the_question,
)

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """The server's end of a connection, and the client's."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        client = stack.enter_context(socket.create_connection(listener.getsockname()))
        server, _ = listener.accept()
        yield stack.enter_context(server), client


@pytest.fixture(params=["poll", "peek"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux tells by poll(2); other systems are asked by looking at what there is to read."""
    if request.param == "peek":
        monkeypatch.setattr(presence, "_ENDED", 0)


def _reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("does", "seen"),
    [
        (lambda client: client.shutdown(socket.SHUT_WR), Presence.ENDED),
        (lambda client: client.close(), Presence.ENDED),
        (_reset, Presence.GONE),
    ],
    ids=["ends its side", "closes", "resets"],
)
def test_what_is_seen(pair: Pair, does: Callable[[socket.socket], None], seen: Presence) -> None:
    """Without sending anything."""
    server, client = pair
    assert presence_of(server) is Presence.HERE
    does(client)
    eventually(lambda: presence_of(server) is seen, what=seen.value)


def test_the_end_behind_something_unread(pair: Pair) -> None:
    """As a close_notify, or the next request, is."""
    server, client = pair
    client.sendall(b"next")
    client.shutdown(socket.SHUT_WR)
    eventually(lambda: presence_of(server) is Presence.ENDED, what="the end")
    assert server.recv(10) == b"next"


@pytest.mark.usefixtures("way")
def test_who_has_closed_answers_with_a_reset(pair: Pair) -> None:
    """And so is told from who has ended its side; without asking, nobody has gone."""
    server, client = pair
    client.close()
    eventually(lambda: presence_of(server) is Presence.ENDED, what="the end")
    assert not has_gone(server, None)
    assert has_gone(server, server.sendall)


@pytest.mark.usefixtures("way")
def test_who_reads_on_is_there(pair: Pair) -> None:
    """It gets the question and no other byte; the time to wait is short where the way is."""
    server, client = pair
    client.shutdown(socket.SHUT_WR)
    eventually(lambda: presence_of(server) is Presence.ENDED, what="the end")
    assert 0 < seconds_to_answer(server) < 0.5
    assert not has_gone(server, server.sendall)
    server.close()
    assert client.recv(100) + client.recv(100) == QUESTION


def test_who_is_there_is_not_asked(pair: Pair) -> None:
    """Nor waited for."""
    server, client = pair
    assert not in_time(lambda: has_gone(server, server.sendall), 0.04 + seconds_to_answer(server))
    server.close()
    assert client.recv(100) == b""


def test_of_unix_sockets() -> None:
    """They tell who has closed from who has ended its side, and have no round trip."""
    server, client = socket.socketpair()
    with server, client:
        client.shutdown(socket.SHUT_WR)
        assert presence_of(server) is Presence.ENDED
        assert seconds_to_answer(server) < 0.1
        client.close()
        assert presence_of(server) is Presence.GONE


def test_a_closed_socket_is_gone(pair: Pair) -> None:
    """The application may have closed it."""
    server, _ = pair
    server.close()
    assert presence_of(server) is Presence.GONE


@pytest.mark.parametrize(
    ("head", "understands"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nX: HTTP/1.1\r\n\r\n", False),
        (b"GET /\r\n\r\n", False),
        (b"", False),
    ],
)
def test_who_may_be_asked(head: bytes, understands: bool) -> None:
    """HTTP/1.0 has no answers of status 100."""
    assert understands_the_question(head) is understands

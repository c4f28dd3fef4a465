"""What is left of a connection that was shut down."""

from __future__ import annotations

import os
import socket

import pytest

from tlsrun.connections.remains import Remains


def test_it_reads_until_the_end_and_closes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a socket does; a descriptor that somebody else may have by then is left alone."""
    ours, client = socket.socketpair()
    ours.setblocking(False)
    remains = Remains(ours.detach())
    with client:
        with pytest.raises(BlockingIOError):
            remains.recv(10)
        client.sendall(b"last words")
        assert remains.recv(4) + remains.recv(100) == b"last words"
    assert remains.recv(10) == b""
    descriptor, closed = remains.fileno(), []
    close = os.close
    monkeypatch.setattr(os, "close", lambda number: (closed.append(number), close(number)))
    for _ in range(2):
        remains.close()
        assert remains.fileno() == -1
    assert closed == [descriptor]

"""What is left of a connection that was shut down."""

from __future__ import annotations

import os
import socket

import pytest

from tlsrun.connections.lingering import LingeringSocket


def test_it_reads_until_the_end_and_closes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a socket does; a descriptor that somebody else may have by then is left alone."""
    ours, client = socket.socketpair()
    ours.setblocking(False)
    lingering = LingeringSocket(ours.detach())
    with client:
        with pytest.raises(BlockingIOError):
            lingering.recv(10)
        client.sendall(b"last words")
        assert lingering.recv(4) + lingering.recv(100) == b"last words"
    assert lingering.recv(10) == b""
    descriptor, closed = lingering.fileno(), []
    close = os.close
    monkeypatch.setattr(os, "close", lambda number: (closed.append(number), close(number)))
    for _ in range(2):
        lingering.close()
        assert lingering.fileno() == -1
    assert closed == [descriptor]

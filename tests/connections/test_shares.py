"""What workers say of their connections, and what follows for those that are new."""

from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.connections.reacting import GET, reacting
from tests.support.certs import Paths
from tests.support.clients import tls_connect
from tests.support.process import eventually
from tlsrun.connections.connection import Connection
from tlsrun.connections.shares import Shares
from tlsrun.connections.stages import Next


def test_who_has_more() -> None:
    """Two more than another are too many; one more is not, for that changes with every client."""
    shares = Shares(2)
    first, second = shares.of(1), shares.of(2)
    assert not first.is_large(100)  # alone
    second.tell(3)
    assert not first.is_large(4)
    assert first.is_large(5)
    second.tell(0)
    assert not first.is_large(1)
    assert first.is_large(2)
    second.leave()
    assert not first.is_large(100)


def test_who_says_nothing_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was killed, or does not get to accept, keeps nobody waiting."""
    shares = Shares(2)
    shares.of(2).tell(0)
    assert shares.of(1).is_large(2)
    later = time.monotonic() + 2
    monkeypatch.setattr("time.monotonic", lambda: later)
    assert not shares.of(1).is_large(2)


# The threads are pytest-xdist's; Python 3.12 and later warn of a fork beside any.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_generations_do_not_meet() -> None:
    """Those that a reload starts have slots beside those that it ends; in forked processes too."""
    shares = Shares(2)
    for number in (1, 2, 3):
        shares.of(number).tell(10)
    if not (child := os.fork()):
        shares.of(4).tell(1)
        os._exit(0)
    os.waitpid(child, 0)
    assert shares.of(1).is_large(3)
    shares.of(4).tell(10)
    assert not shares.of(1).is_large(11)


def test_a_burst_is_shared(localhost_cert: Paths, ca_file: Path) -> None:
    """Two at one socket take about as many each, also where one of them is awake first."""
    shares = Shares(2)
    with ExitStack() as stack:
        first = stack.enter_context(reacting(localhost_cert, share=shares.of(1)))
        second = stack.enter_context(reacting(localhost_cert, share=shares.of(2), listener=first.listener.dup()))
        clients = [stack.enter_context(tls_connect(first.address, ca_file)) for _ in range(12)]
        for client in clients:
            client.sendall(GET)
        eventually(lambda: first.ready.qsize() + second.ready.qsize() == 12, what="twelve requests")
        assert 4 <= first.ready.qsize() <= 8


def test_nobody_waits_for_a_busy_neighbour(localhost_cert: Paths, ca_file: Path) -> None:
    """Who has fewer connections, and does not take a new one, loses it after a moment."""
    shares = Shares(2)
    neighbour = shares.of(2)
    with reacting(localhost_cert, share=shares.of(1)) as site, ExitStack() as stack:
        for _ in range(5):
            neighbour.tell(0)
            client = stack.enter_context(tls_connect(site.address, ca_file))
            client.sendall(GET)
            stack.callback(site.reactor.dismiss, site.next())


def test_what_was_taken_is_told_before_it_is_served(
    localhost_cert: Paths, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the neighbour would leave its next one to somebody who is busy with this one."""
    shares = Shares(2)
    counts: list[tuple[bool, bool]] = []

    def advance(connection: Connection) -> Next:
        counts.append((shares.of(2).is_large(2), shares.of(2).is_large(3)))
        return Next.END

    monkeypatch.setattr(Connection, "advance", advance)
    with reacting(localhost_cert, share=shares.of(1)) as site:
        eventually(lambda: shares.of(2).is_large(2), what="a worker that tells of no connection")
        socket.create_connection(site.address).close()
        eventually(lambda: counts, what="a connection that was taken")
    assert counts == [(False, True)]  # two fewer than three, and not two fewer than two

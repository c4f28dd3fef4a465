"""One thread serves kept connections while requests are quick; one that takes long, or waits, keeps nobody waiting."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.applications.builtin import ENTERED, RELEASED, TOGETHER
from tests.servers.builtin.site import serving
from tests.support.certs import Paths
from tests.support.clients import Address
from tests.support.process import PATIENCE, eventually
from tests.support.talk import Talk
from tlsrun.servers.builtin.connections import ConnectionState
from tlsrun.servers.builtin.server import BuiltinServer
from tlsrun.servers.builtin.with_stdlib import StandardHandler
from tlsrun.threads import leader, workload


@contextlib.contextmanager
def kept(
    number: int, paths: Paths, ca_file: Path, **options: Any
) -> Iterator[tuple[list[Talk], Address, BuiltinServer]]:
    """So many connections that were answered once, and wait."""
    with serving(paths, StandardHandler, **options) as (address, server), contextlib.ExitStack() as stack:
        talks = [stack.enter_context(Talk(address, ca_file)) for _ in range(number)]
        for talk in talks:
            assert talk.get().answer()[0] == 200
        eventually(lambda: server.connections.count(ConnectionState.IDLE) == number)
        yield talks, address, server


def test_quick_requests_are_served_by_one_thread(
    localhost_cert: Paths, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks, on whatever connection."""
    # On a busy machine, also a quick request may look slow.
    monkeypatch.setattr(leader, "_PATIENCE", 60.0)
    monkeypatch.setattr(workload, "_BLOCKED", 60.0)
    with kept(8, localhost_cert, ca_file) as (talks, _, _):
        idents = {talk.get("/ident").answer()[2] for _ in range(3) for talk in talks}
        assert len(idents) == 1


def test_a_request_that_takes_long_keeps_nobody_waiting(localhost_cert: Paths, ca_file: Path) -> None:
    """The others, new ones and kept ones, are answered meanwhile; and its connection goes on afterwards."""
    with kept(4, localhost_cert, ca_file) as ((slow, *others), address, _):
        slow.get("/held")
        assert ENTERED.wait(PATIENCE)
        for _ in range(3):
            for talk in others:
                assert talk.get().answer()[2] == b"hello"
        with Talk(address, ca_file) as another:
            assert another.get().answer()[2] == b"hello"
        RELEASED.set()
        assert slow.answer()[2] == b"released"
        for _ in range(3):
            assert slow.get().answer()[2] == b"hello"


def test_requests_that_wait_do_so_side_by_side(localhost_cert: Paths, ca_file: Path) -> None:
    """All of them are in the application at the same time, again and again."""
    TOGETHER[:] = [threading.Barrier(12)]
    with kept(12, localhost_cert, ca_file) as (talks, _, _):
        for _ in range(3):
            for talk in talks:
                talk.get("/together")
            assert [talk.answer()[2] for talk in talks] == [b"together"] * 12


def test_a_client_that_stalls_in_a_head_keeps_nobody_waiting(localhost_cert: Paths, ca_file: Path) -> None:
    """Half a request on a kept connection."""
    with kept(6, localhost_cert, ca_file) as (talks, _, _):
        for talk in talks[:4]:
            talk.send(b"GET / HT")
        for talk in talks[4:]:
            assert talk.get().answer()[2] == b"hello"
        for talk in talks[:4]:
            assert talk.send(b"TP/1.1\r\nHost: a\r\n\r\n").answer()[2] == b"hello"


def test_kept_connections_end_when_nobody_asks(localhost_cert: Paths, ca_file: Path) -> None:
    """After the time that the option says, in order."""
    with serving(localhost_cert, StandardHandler, keep_alive=1.0) as (address, server), contextlib.ExitStack() as stack:
        talks = []
        for _ in range(3):  # each asks as soon as it has come: a busy machine may take long for all of them
            talks.append(stack.enter_context(Talk(address, ca_file)))
            assert talks[-1].get().answer()[0] == 200
        assert all(talk.is_over() for talk in talks)
        eventually(lambda: len(server.connections) == 0)


def test_closed_by_clients(localhost_cert: Paths, ca_file: Path) -> None:
    """Connections that end while they wait, in order and not, are no longer there; the next ones are served."""
    with kept(6, localhost_cert, ca_file) as (talks, address, server):
        for talk in talks[:3]:
            talk.tls.unwrap()
        for talk in talks:
            talk.file.close()
            talk.tls.close()
        eventually(lambda: len(server.connections) == 0)
        with Talk(address, ca_file) as another:
            for _ in range(2):
                assert another.get().answer()[2] == b"hello"


@pytest.mark.parametrize("page", ["/closes", "/closes/0.2", "/interrupts"])
def test_views_that_end_their_connection_end_no_other(page: str, localhost_cert: Paths, ca_file: Path) -> None:
    """They close it, at once or later, or raise what is no Exception: its client sees an end, the others are served."""
    with kept(12, localhost_cert, ca_file) as (talks, address, server):
        while len(talks) > 2:
            with contextlib.suppress(OSError, EOFError):
                status, _, _ = talks.pop().get(page, "Upgrade: something").answer()
                assert status == 500
            for talk in talks:
                assert talk.get().answer()[2] == b"hello"
        eventually(lambda: len(server.connections) == 2)
        with Talk(address, ca_file) as another:
            for _ in range(2):
                assert another.get().answer()[2] == b"hello"


def test_no_more_threads(localhost_cert: Paths, ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the system gives none, a long request is waited for; what is kept goes on, and later all is as before."""
    with kept(4, localhost_cert, ca_file) as ((slow, *others), address, server):
        # Threads that rest would help out.
        eventually(lambda: not server._threads._threads._idle, 30)

        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            slow.get("/held")
            assert ENTERED.wait(PATIENCE)
            for talk in others:
                talk.get()
            RELEASED.set()
            assert slow.answer()[2] == b"released"
            assert [talk.answer()[2] for talk in others] == [b"hello"] * 3
            with contextlib.suppress(OSError), Talk(address, ca_file):
                pass
        for talk in (slow, *others):
            assert talk.get().answer()[2] == b"hello"

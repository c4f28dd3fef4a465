"""Clients that stall, hold on or come in crowds, at the built-in server in this process."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.applications.builtin import ENTERED, RELEASED
from tests.servers.builtin.site import serving
from tests.support.certs import Paths
from tests.support.clients import Address, https_get, stalled
from tests.support.process import PATIENCE, eventually, in_time
from tests.support.talk import Talk
from tlsrun.servers.builtin.connections import ConnectionState
from tlsrun.servers.builtin.server import BuiltinServer
from tlsrun.servers.builtin.with_stdlib import StandardHandler


@contextlib.contextmanager
def site(paths: Paths, **options: object) -> Iterator[tuple[Address, BuiltinServer]]:
    """A server with these options."""
    with serving(paths, StandardHandler, **options) as (address, server):  # type: ignore[arg-type]
        yield address, server


def seconds(ask: Callable[[], object]) -> float:
    """How long ``ask()`` takes."""
    began = time.monotonic()
    ask()
    return time.monotonic() - began


def page(address: Address, ca: Path) -> None:
    """A new client is answered."""
    assert https_get("https://localhost/", ca, address=address).status == 200


def slept(talks: list[Talk]) -> None:
    """Each asks for a page that takes 0.4 seconds, all at once, and has it."""
    for talk in talks:
        talk.get("/slow/0.4")
    for talk in talks:
        assert talk.answer()[2] == b"slept"


def test_silence_between_requests_ends(localhost_cert: Paths, ca_file: Path) -> None:
    """An idle connection is closed in order after its time."""
    with site(localhost_cert, keep_alive=0.3) as (address, _), Talk(address, ca_file) as talk:
        began = time.monotonic()
        assert talk.get().answer()[0] == 200
        assert talk.is_over()
        assert 0.2 < time.monotonic() - began < 8


def test_a_head_must_come_in_time(localhost_cert: Paths, ca_file: Path) -> None:
    """A head that comes byte by byte has one deadline, and is answered with 408."""
    with site(localhost_cert, head_timeout=0.5) as (address, _), Talk(address, ca_file) as talk:
        began = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 400:
                talk.send(bytes([byte]))
                if select.select([talk.tls], [], [], 0.05)[0]:
                    break
        status, fields, _ = talk.answer()
        assert (status, fields["connection"]) == (408, "close")
        assert 0.4 < time.monotonic() - began < 8


@pytest.mark.parametrize("framing", ["Content-Length: 10", "Transfer-Encoding: chunked"])
def test_a_body_must_come(framing: str, localhost_cert: Paths, ca_file: Path) -> None:
    """A body that stops in the middle is the client's failure: 400, and the thread is free."""
    with site(localhost_cert, body_timeout=0.3) as (address, server), Talk(address, ca_file) as talk:
        talk.get("/upload", framing, method="POST", body=b"5\r\n")
        assert talk.answer()[0] == 400
        assert talk.is_over()
        talk.tls.close()
        eventually(lambda: len(server.connections) == 0)


def test_a_body_must_not_drip(localhost_cert: Paths, ca_file: Path) -> None:
    """A body that comes byte by byte holds its thread no longer than one that stops."""
    with site(localhost_cert, body_timeout=0.5) as (address, _), Talk(address, ca_file) as talk:
        talk.get("/upload", "Content-Length: 1000", method="POST")
        began = time.monotonic()
        while not select.select([talk.tls], [], [], 0.05)[0]:
            talk.send(b"x")
        assert talk.answer()[0] == 400
        assert 0.4 < time.monotonic() - began < 8


def test_an_answer_must_be_taken(localhost_cert: Paths, ca_file: Path) -> None:
    """A client that reads nothing of a large answer is given up."""
    with site(localhost_cert, write_timeout=0.3) as (address, server), Talk(address, ca_file) as talk:
        eventually(lambda: len(server.connections) == 1)
        talk.get(f"/download/{65536 * 2000}")
        eventually(lambda: len(server.connections) == 0)


@pytest.mark.parametrize("closes_in", ["head", "body", "answer"])
def test_clients_that_go_away_leave_nothing(
    closes_in: str, localhost_cert: Paths, ca_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whenever a client closes, its thread ends, and nothing but words is in the log."""
    with site(localhost_cert) as (address, server):
        with Talk(address, ca_file) as talk:
            if closes_in == "head":
                talk.send(b"GET / HT")
            elif closes_in == "body":
                talk.get("/ignored", "Content-Length: 10", method="POST", body=b"x")
            else:
                talk.get(f"/download/{65536 * 2000}")
        eventually(lambda: len(server.connections) == 0)
    assert "Traceback" not in caplog.text


def test_many_idle_clients_stop_nobody(localhost_cert: Paths, ca_file: Path) -> None:
    """64 kept connections are no hindrance, and all of them go on."""
    with site(localhost_cert) as (address, _), contextlib.ExitStack() as stack:
        talks = [stack.enter_context(Talk(address, ca_file)) for _ in range(64)]
        for talk in talks:
            assert talk.get().answer()[0] == 200
        in_time(partial(page, address, ca_file), 1)
        for talk in talks:
            assert talk.get().answer()[0] == 200


def test_too_many_clients_cost_the_oldest_that_waits(localhost_cert: Paths, ca_file: Path) -> None:
    """At the limit, the connection that has waited longest makes room; who is being answered keeps his."""
    with site(localhost_cert, max_connections=4) as (address, server), contextlib.ExitStack() as stack:
        busy, first, second = (stack.enter_context(Talk(address, ca_file)) for _ in range(3))
        busy.get("/held")
        assert ENTERED.wait(PATIENCE)
        for talk, idle in ((first, 1), (second, 2), (first, 2)):
            assert talk.get().answer()[0] == 200
            eventually(partial(_idle, server, idle))
        with stalled("silent", 1, address) as silent:
            eventually(lambda: len(server.connections) == 4)
            assert https_get("https://localhost/", ca_file, address=address).status == 200
            assert second.is_over()
            with stalled("silent", 8, address) as crowd:
                eventually(lambda: len(server.connections) <= 4 and crowd.still_open() <= 3)
                assert silent.still_open() == 0
                RELEASED.set()
                assert busy.answer()[2] == b"released"


def _idle(server: BuiltinServer, number: int) -> bool:
    """Whether so many wait for a request: an answer arrives before its thread waits again."""
    return server.connections.count(ConnectionState.IDLE) == number


def test_service_waits_when_all_are_busy(localhost_cert: Paths, ca_file: Path) -> None:
    """When every connection is being answered, the next one waits in the backlog, and is served after."""
    with site(localhost_cert, max_connections=1) as (address, _), Talk(address, ca_file) as busy:
        busy.get("/held", "Connection: close")
        assert ENTERED.wait(PATIENCE)
        answers = []
        waiting = threading.Thread(
            target=lambda: answers.append(https_get("https://localhost/", ca_file, address=address).status)
        )
        waiting.start()
        waiting.join(0.7)
        assert answers == []
        RELEASED.set()
        assert busy.answer()[2] == b"released"
        busy.tls.close()
        waiting.join(PATIENCE)
        assert answers == [200]


@pytest.mark.parametrize("kind", ["silent", "half-hello", "drip", "half-head"])
def test_stalled_clients_stop_nobody(kind: str, localhost_cert: Paths, ca_file: Path) -> None:
    """A hundred of a kind: others are answered at once, and none outlives its deadline by much."""
    with site(localhost_cert, handshake_timeout=2, head_timeout=2) as (address, server):
        with stalled(kind, 100, address) as crowd:
            began = time.monotonic()
            in_time(partial(page, address, ca_file), 1)
            eventually(lambda: crowd.still_open() == 0)
            assert time.monotonic() - began < 5
        eventually(lambda: len(server.connections) == 0)


@pytest.mark.full
@pytest.mark.slow
def test_five_hundred_of_each_kind_stop_nobody(localhost_cert: Paths, ca_file: Path) -> None:
    """1 050 clients that stall: 20 pages are answered within a second each, and all that stall are gone in time."""
    with contextlib.ExitStack() as stack:
        address, _ = stack.enter_context(site(localhost_cert, handshake_timeout=10))
        crowds = [
            stack.enter_context(stalled(kind, number, address))
            for kind, number in (("silent", 500), ("half-hello", 500), ("drip", 50))
        ]
        began = time.monotonic()
        for _ in range(20):
            in_time(partial(page, address, ca_file), 1)
        eventually(lambda: sum(crowd.still_open() for crowd in crowds) == 0)
        assert time.monotonic() - began < 20


def test_one_thread_runs_all(localhost_cert: Paths, ca_file: Path) -> None:
    """With one thread every request runs in the main thread, though connections are kept and clients stall."""
    with (
        site(localhost_cert, threads=1) as (address, _),
        stalled("half-head", 3, address),
        contextlib.ExitStack() as stack,
    ):
        for _ in range(3):
            talk = stack.enter_context(Talk(address, ca_file))
            assert talk.get("/thread").answer()[2] == b"main-of-the-test False"


def test_a_few_threads(localhost_cert: Paths, ca_file: Path) -> None:
    """With two threads, two requests run at a time, and the third waits for its turn."""
    with site(localhost_cert, threads=2) as (address, _), contextlib.ExitStack() as stack:
        talks = [stack.enter_context(Talk(address, ca_file)) for _ in range(3)]
        names = {talks[0].get("/thread").answer()[2] for _ in range(10)}
        assert names <= {b"tlsrun-work-0 True", b"tlsrun-work-1 True"}

        def ask() -> None:
            assert seconds(lambda: slept(talks)) > 0.7

        in_time(ask, 2)


def test_a_thread_for_each_connection(localhost_cert: Paths, ca_file: Path) -> None:
    """Without a number, as many requests run at a time as are asked."""
    with site(localhost_cert) as (address, _), contextlib.ExitStack() as stack:
        talks = [stack.enter_context(Talk(address, ca_file)) for _ in range(20)]
        in_time(lambda: slept(talks), 2)


def test_ipv6(localhost_cert: Paths, ca_file: Path) -> None:
    """An IPv6 address is listened on, and is the peer's."""
    with site(localhost_cert, host="::1") as (address, _):
        answer = https_get(f"https://[::1]:{address[1]}/environ", ca_file, address=address).text
    assert '"REMOTE_ADDR": "::1"' in answer
    assert '"SERVER_NAME": "::1"' in answer


def test_ipv6_wildcard_takes_ipv4(localhost_cert: Paths, ca_file: Path) -> None:
    """``::`` is every address; an IPv4 peer is shown as such."""
    with site(localhost_cert, host="::") as (address, _):
        answer = https_get(f"https://localhost:{address[1]}/environ", ca_file, address=("127.0.0.1", address[1])).text
    assert '"REMOTE_ADDR": "127.0.0.1"' in answer


def test_plain_http_is_sent_on(localhost_cert: Paths, ca_file: Path) -> None:
    """A person who typed http:// is told where the page is."""
    with site(localhost_cert) as (address, _), socket.create_connection(address, timeout=PATIENCE) as plain:
        plain.sendall(b"GET /x HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % address[1])
        said = plain.makefile("rb").read().decode()
    assert said.startswith("HTTP/1.1 301 ")
    assert f"Location: https://localhost:{address[1]}/x" in said

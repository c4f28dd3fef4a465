"""Clients that stall, drip, dawdle and never leave, against gunicorn: a page still answers within a second."""

from __future__ import annotations

import contextlib
import resource
import select
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.gunicorn.site import GET, Site, serving
from tests.support.certs import Paths
from tests.support.clients import client_context, stalled, tls_connect
from tests.support.process import eventually, in_time

WORKERS = ["gthread", "sync"]


@contextlib.contextmanager
def _site(
    localhost_cert: Paths, ca_file: Path, worker: str = "gthread", deadline: float = 3, **options: object
) -> Iterator[Site]:
    """Two workers, of four threads under gthread; three seconds for a handshake."""
    with serving(
        localhost_cert, ca_file, workers=2, handshake_timeout=deadline,
        server_options={"worker_class": worker, **options},
    ) as running:  # fmt: skip
        yield running


def _answers_promptly(site: Site, times: int = 5) -> None:
    """New clients are answered within a second each."""
    for _ in range(times):
        assert in_time(site.get, 1) == "hello"


@pytest.fixture(scope="module", params=WORKERS)
def hasty(request: pytest.FixtureRequest, localhost_cert: Paths, ca_file: Path) -> Iterator[Site]:
    """One second for a handshake; for crowds of each kind, one after the other."""
    with _site(localhost_cert, ca_file, request.param, deadline=1) as running:
        yield running


@pytest.mark.representatives
@pytest.mark.parametrize("kind", ["silent", "half-hello", "drip", "half-head"])
def test_a_small_crowd(hasty: Site, kind: str) -> None:
    """Of five times as many as there are threads; all of it is gone at the deadline."""
    with stalled(kind, 40, hasty.address, interval=0.2) as crowd:
        _answers_promptly(hasty)
        eventually(lambda: crowd.still_open() == 0, 8)


@pytest.mark.full
@pytest.mark.slow
@pytest.mark.parametrize("worker", WORKERS)
def test_a_great_crowd(localhost_cert: Paths, ca_file: Path, worker: str) -> None:
    """500 that say nothing, 500 with half a ClientHello, 50 that drip, all at once."""
    with _site(localhost_cert, ca_file, worker) as site:
        assert any(_stays(site) < 5 for _ in range(3))
        _answers_promptly(site)


def _stays(site: Site) -> float:
    """Seconds until the last of a great crowd is gone."""
    with contextlib.ExitStack() as stack:
        crowds = [
            stack.enter_context(stalled(kind, count, site.address))
            for kind, count in (("silent", 500), ("half-hello", 500), ("drip", 50))
        ]
        began = time.monotonic()
        _answers_promptly(site, 10)
        eventually(lambda: sum(crowd.still_open() for crowd in crowds) == 0)
        return time.monotonic() - began


@pytest.mark.full
@pytest.mark.slow
@pytest.mark.parametrize("worker", WORKERS)
def test_a_great_crowd_after_the_handshake(localhost_cert: Paths, ca_file: Path, worker: str) -> None:
    """500 clients that finish TLS and send half a request head."""
    # The crowd shakes hands for some seconds, and shall be whole when it is over.
    with (
        _site(localhost_cert, ca_file, worker, deadline=12) as site,
        stalled("half-head", 500, site.address) as crowd,
    ):
        assert crowd.still_open() == 500
        _answers_promptly(site, 10)
        eventually(lambda: crowd.still_open() == 0, 14)


def test_idle_clients_hold_no_thread(localhost_cert: Paths, ca_file: Path) -> None:
    """64 that are kept alive, on two workers of four threads."""
    with _site(localhost_cert, ca_file, keepalive=20) as site, contextlib.ExitStack() as stack:
        idle = [stack.enter_context(tls_connect(site.address, ca_file)) for _ in range(64)]
        for client in idle:
            client.sendall(GET % b"/")
        for client in idle:
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
        _answers_promptly(site)
        for client in idle:
            client.sendall(GET % b"/")
            assert client.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_next_request_that_dribbles_holds_no_thread(localhost_cert: Paths, ca_file: Path) -> None:
    """Kept alive, and then half a head: 20 clients on eight threads, which are gone at the deadline."""
    with _site(localhost_cert, ca_file, keepalive=20, deadline=1) as site, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(tls_connect(site.address, ca_file)) for _ in range(20)]
        for client in clients:
            client.sendall(GET % b"/")
            client.recv(1000)
            client.sendall(b"GET / HT")
        _answers_promptly(site)
        for client in clients:
            assert client.recv(1000) == b""


def test_clients_that_do_not_close_cost_nobody_two_seconds(localhost_cert: Paths, ca_file: Path) -> None:
    """gunicorn waits for them in its main loop; here they are waited for aside, and cut off."""
    for worker in WORKERS:
        with _site(localhost_cert, ca_file, worker) as site, contextlib.ExitStack() as stack:
            clients = [stack.enter_context(tls_connect(site.address, ca_file)) for _ in range(10)]
            for client in clients:
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            for client in clients:
                assert client.recv(1000).startswith(b"HTTP/1.1 200")
            _answers_promptly(site)
            # Without a reader of its FIN the server cuts the connection: a write then fails.
            eventually(lambda: all(map(_is_cut, clients)))  # noqa: B023 -- called at once


def _is_cut(client: socket.socket) -> bool:
    try:
        client.send(b"x")
    except OSError:
        return True
    return False


def test_a_body_that_dribbles_is_given_up(localhost_cert: Paths, ca_file: Path) -> None:
    """After gunicorn's ``timeout``, however often a byte comes; meanwhile the other threads serve."""
    with _site(localhost_cert, ca_file, timeout=2) as site, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(tls_connect(site.address, ca_file)) for _ in range(3)]
        began = time.monotonic()
        for client in clients:
            client.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
        stop = threading.Event()

        def dribble() -> None:
            while not stop.wait(0.3):
                for client in clients:
                    with contextlib.suppress(OSError):
                        client.send(b"x")

        thread = threading.Thread(target=dribble)
        thread.start()
        try:
            _answers_promptly(site)
            for client in clients:
                with contextlib.suppress(ConnectionResetError):
                    assert client.recv(1000) == b""
            assert 1.5 < time.monotonic() - began < 10
        finally:
            stop.set()
            thread.join()
        assert "Traceback" not in site.server.log()


def test_a_body_that_nobody_reads_holds_no_thread(localhost_cert: Paths, ca_file: Path) -> None:
    """The application answered without it: twice as many clients as threads that never send it."""
    with _site(localhost_cert, ca_file) as site, contextlib.ExitStack() as stack:
        for _ in range(16):
            client = stack.enter_context(tls_connect(site.address, ca_file))
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
        _answers_promptly(site)


def test_a_client_that_does_not_read_is_given_up(localhost_cert: Paths, ca_file: Path) -> None:
    """Eight large downloads that nobody takes hold all threads for ``timeout`` seconds, and no longer."""
    with _site(localhost_cert, ca_file, timeout=1) as site, contextlib.ExitStack() as stack:
        for _ in range(8):
            client = stack.enter_context(tls_connect(site.address, ca_file))
            client.sendall(GET % b"/download/65536000")
        assert site.get(timeout=10) == "hello"
        _answers_promptly(site)
        assert "Traceback" not in site.server.log()


@pytest.mark.parametrize("worker", WORKERS)
def test_a_busy_worker_leaves_new_clients_to_the_others(localhost_cert: Paths, ca_file: Path, worker: str) -> None:
    """While all threads of one worker run long requests, nobody waits for it."""
    threads = 4 if worker == "gthread" else 1
    with _site(localhost_cert, ca_file, worker) as site, contextlib.ExitStack() as stack:
        for _ in range(threads):
            client = stack.enter_context(tls_connect(site.address, ca_file))
            client.sendall(GET % b"/slow/4")
        _answers_promptly(site, 20)


def test_worker_connections_bound_the_crowd(localhost_cert: Paths, ca_file: Path) -> None:
    """The oldest makes room; who comes new is served."""
    with (
        _site(localhost_cert, ca_file, worker_connections=10) as site,
        stalled("half-hello", 60, site.address) as crowd,
    ):
        _answers_promptly(site)
        eventually(lambda: crowd.still_open() <= 20)  # each worker has taken its part


@pytest.mark.parametrize("worker", WORKERS)
def test_without_descriptors_it_rests(localhost_cert: Paths, ca_file: Path, worker: str) -> None:
    """Rather than ask again and again; when there are some, it serves."""
    with _site(localhost_cert, ca_file, worker) as site:
        # A worker that boots without descriptors fails, and takes the master with it.
        for pid in site.until_booted(2):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, 10_000))
        with contextlib.closing(socket.create_connection(site.address)):
            site.server.until_logged("cannot accept connections for a moment: Too many open files")
            select.select([], [], [], 1)
            assert site.server.log().count("cannot accept") <= 10
        for pid in site.workers():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (10_000, 10_000))
        assert site.get() == "hello"


def test_a_handshake_that_fails_is_one_quiet_line(localhost_cert: Paths, ca_file: Path) -> None:
    """With the peer and the reason, never a traceback, and no more than a few."""
    with _site(localhost_cert, ca_file) as site:
        for _ in range(30):
            with contextlib.suppress(OSError):
                tls_connect(site.address, None, context=client_context(ca_file), name="wrong.test")
        site.server.until_logged("tlsrun.handshake: handshake with 127.0.0.1:")
        log = site.server.log()
        assert 1 <= log.count("tlsrun.handshake: handshake with 127.0.0.1:") <= 20
        assert "Traceback" not in log
        _answers_promptly(site)

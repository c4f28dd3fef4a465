"""Clients that stall, by the hundred, keep nobody else waiting and are gone when their time is over."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.certs import Paths
from tests.support.clients import stalled, tls_connect
from tests.support.process import eventually
from tests.support.servers import need
from tests.support.sites import SERVERS, Site, serving

pytestmark = pytest.mark.slow

#: Seconds for a handshake here, and what a connection may outlive them by.
HANDSHAKE = 3
GRACE = 2

Begin = Callable[[], AbstractContextManager[Site]]


@pytest.fixture(params=[*SERVERS, "gunicorn sync"])
def begin(request: pytest.FixtureRequest, ca_file: Path, localhost_cert: Paths) -> Begin:
    """Starts the site under each server, and with gunicorn's worker that has no threads."""
    name, _, sync = request.param.partition(" ")
    need(name)
    serve = serving(name, ca_file, localhost_cert)
    flags = ["--handshake-timeout", str(HANDSHAKE)]
    if sync:
        flags += ["--server-options", "worker_class=sync"]
    return lambda: serve(*flags, threads=None if sync else 4)


class Asked:
    """How long pages took, asked for one after the other by new connections."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.failures: list[str] = []

    def holds(self) -> bool:
        """Whether each was there within a second."""
        return not self.failures and len(self.seconds) > 10 and max(self.seconds) < 1

    def __repr__(self) -> str:
        return f"{len(self.seconds)} pages, the slowest {max(self.seconds):.2f} s; {self.failures[:3]}"


@contextlib.contextmanager
def _asking(site: Site) -> Iterator[Asked]:
    asked, stop = Asked(), threading.Event()

    def ask() -> None:
        while not stop.wait(0.05):
            begun = time.monotonic()
            try:
                assert site.get().status == 200
            except Exception as error:
                asked.failures.append(f"{type(error).__name__}: {error}")
            asked.seconds.append(time.monotonic() - begun)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield asked
    finally:
        stop.set()
        thread.join()


def once(flood: Callable[[Begin], Asked], begin: Begin) -> None:
    """Assert that nobody waits while there is a flood; three are tried, for a busy machine may make one wait itself."""
    tried: list[Asked] = []
    for _ in range(3):
        tried.append(flood(begin))
        if tried[-1].holds():
            return
    raise AssertionError(tried)


def test_a_thousand_stalled_handshakes(begin: Begin) -> None:
    """500 silent, 500 with half a ClientHello, 50 that drip: a page takes less than a second, and no one outstays."""
    once(a_thousand_stalled_handshakes, begin)


def a_thousand_stalled_handshakes(begin: Begin) -> Asked:
    """They are gone in time."""
    with (
        begin() as site,
        _asking(site) as asked,
        stalled("silent", 500, site.address) as silent,
        stalled("half-hello", 500, site.address) as half,
        stalled("drip", 50, site.address) as drip,
    ):
        begun = time.monotonic()
        crowds = (silent, half, drip)
        eventually(lambda: not any(one.still_open() for one in crowds), HANDSHAKE + GRACE, what="their end")
        lasted = time.monotonic() - begun
    # They were held until their time was over, not turned away at once.
    assert lasted > HANDSHAKE - 1, lasted
    return asked


@pytest.mark.representatives("")
def test_half_request_heads(begin: Begin) -> None:
    """500 clients that finish TLS and send half a request head keep nobody waiting, and are closed."""
    once(half_request_heads, begin)


def half_request_heads(begin: Begin) -> Asked:
    """They are gone in time."""
    with begin() as site, _asking(site) as asked, stalled("half-head", 500, site.address) as crowd:
        eventually(lambda: crowd.still_open() == 0, 10 + GRACE, what="their end")
    return asked


@pytest.mark.representatives("")
def test_idle_clients_hold_no_thread(begin: Begin) -> None:
    """64 clients that were answered and keep their connection: a new one is answered within a second."""
    once(idle_clients, begin)


def idle_clients(begin: Begin) -> Asked:
    """They stay."""
    with begin() as site, contextlib.ExitStack() as stack:
        for _ in range(64):
            _answered(stack.enter_context(tls_connect(site.address, site.ca)))
        with _asking(site) as asked:
            eventually(lambda: len(asked.seconds) > 20, what="pages")
    return asked


@pytest.mark.representatives("")
def test_clients_that_do_not_hang_up(begin: Begin) -> None:
    """50 clients that were told `Connection: close` and do not close: nobody waits for them."""
    once(clients_that_do_not_hang_up, begin)


def clients_that_do_not_hang_up(begin: Begin) -> Asked:
    """They stay."""
    with begin() as site, _asking(site) as asked, contextlib.ExitStack() as stack:
        for _ in range(50):
            _answered(stack.enter_context(tls_connect(site.address, site.ca)), b"Connection: close\r\n")
        eventually(lambda: len(asked.seconds) > 20, what="pages")
    return asked


def _answered(connection: socket.socket, fields: bytes = b"") -> None:
    connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + fields + b"\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 200")

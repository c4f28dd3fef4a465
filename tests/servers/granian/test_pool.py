"""The threads of Granian's runtimes: those that are too many rest, and are there when others wait for their client."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.servers.site import Site, serving
from tests.support.certs import Paths
from tests.support.clients import client_context, tls_connect
from tests.support.process import eventually, in_time
from tests.support.servers import need
from tlsrun.servers.granian import pool as granian_pool
from tlsrun.servers.granian.pool import Pool
from tlsrun.servers.slots import Outside, Slots


class _Granian:
    """Threads that call what Granian would, each once, when it is told to."""

    def __init__(self, pool: Pool) -> None:
        self._go = threading.Event()
        self._answer = pool.resting_after(self._wait)
        self.inside = 0
        self.returned: list[threading.Thread] = []
        self.threads: list[threading.Thread] = []

    def _wait(self, protocol: Any, scope: dict[str, Any]) -> int:
        self.inside += 1
        self._go.wait(10)
        return 200

    def begin(self, number: int) -> None:
        """So many threads have a request each."""
        for _ in range(number):
            thread = threading.Thread(target=self._run)
            self.threads.append(thread)
            thread.start()
        eventually(lambda: self.inside == number, what="requests in all threads")

    def _run(self) -> None:
        self._answer(None, {})
        self.returned.append(threading.current_thread())

    def end(self) -> None:
        """They are answered."""
        self._go.set()


@pytest.fixture
def _briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(granian_pool, "_REST", 0.05)


@pytest.mark.usefixtures("_briefly")
def test_those_that_are_too_many_rest_until_nothing_is_asked() -> None:
    """Of five threads, two go back to Granian, and the others when it is quiet."""
    pool = Pool(Slots(2))
    granian = _Granian(pool)
    granian.begin(5)
    assert pool.working == 5
    granian.end()
    for thread in granian.threads:
        thread.join(10)
    assert len(granian.returned) == 5
    eventually(lambda: pool.working == 0, what="the end of the threads")


def test_one_takes_the_place_of_another_that_ends() -> None:
    """What a thread keeps for itself goes with it, and that is how the pool learns of its end."""
    pool = Pool(Slots(2))
    granian = _Granian(pool)
    granian.begin(5)
    granian.end()
    # Each that goes back ends at once here, and so the next one need not rest any more.
    eventually(lambda: len(granian.returned) == 5, granian_pool._REST / 2, what="the end of all")
    eventually(lambda: pool.working == 0, what="a pool without threads")


def test_one_takes_the_place_of_another_that_waits() -> None:
    """A client that is waited for keeps no place; a thread that has waited has its own again."""
    pool = Pool(Slots(2))
    pool.back()
    pool.back()
    granian = _Granian(pool)
    granian.begin(1)
    granian.end()
    eventually(lambda: pool.working == 2, what="its rest")
    assert not granian.returned
    with pool, Outside(pool):
        granian.threads[0].join(10)
        assert granian.returned
        eventually(lambda: pool.working == 1, what="its end")
    assert pool.working == 2


def test_others_that_wait_for_clients() -> None:
    """A worker is worn out, too, when those are all waiting that send answers in place of the application's thread."""

    class Helpers:
        is_parked = False

    helpers = Helpers()
    pool = Pool(Slots(1), helpers)
    assert not pool.is_parked
    helpers.is_parked = True
    assert pool.is_parked


def test_runtimes_share_their_slots() -> None:
    """As many requests as there are threads run in a worker, whichever of its sockets they come through."""
    shared = Slots(2)
    one, other = Pool(shared), Pool(shared)
    with one, other:
        assert shared._free.empty()
    assert shared._free.qsize() == 2


@pytest.fixture(scope="module")
def site(localhost_cert: Paths, ca_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One worker, in which two requests run at once, and which has had more than two at once to answer."""
    need("granian")
    with serving(localhost_cert, ca_file, tmp_path_factory.mktemp("site"), "--threads", "2", workers=1) as running:
        (worker,) = running.workers()
        with ThreadPoolExecutor(16) as clients:

            def busy() -> bool:
                assert all(answer.status == 200 for answer in clients.map(running.get, ["/pid"] * 64))
                return len(os.listdir(f"/proc/{worker}/task")) > 16

            eventually(busy, what="more threads than run at once")
        yield running


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_uploads_that_stall(site: Site, where: str) -> None:
    """Many more than there are threads: others are answered as before, and the uploads are finished."""
    with contextlib.ExitStack() as stack:
        context = client_context(site.ca)
        uploads = [stack.enter_context(tls_connect(site.address, None, context=context)) for _ in range(40)]
        head = f"POST /read/{where} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"
        for upload in uploads:
            upload.sendall(head.encode() + b"12345")
        for _ in range(20):
            assert in_time(lambda: site.get("/pid"), 2).status == 200
        for upload in uploads:
            upload.sendall(b"67890")
        for upload in uploads:
            answer = b""
            while not answer.endswith(b"\r\n\r\n10"):
                answer += upload.recv(4096) or pytest.fail(f"{answer!r}")
        assert site.get("/pid").status == 200


def test_an_answer_after_rest(site: Site) -> None:
    """Failed requests are answered at once: no thread rests before Granian has sent their 500."""
    for _ in range(20):
        assert in_time(lambda: site.get("/silent"), 2).status == 500
        assert in_time(lambda: site.get("/pid"), 2).status == 200

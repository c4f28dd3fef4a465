"""When a request of Hypercorn's is handed to the application, and what becomes of one that is not."""

from __future__ import annotations

import asyncio
import errno
import tempfile
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tlsrun.servers.hypercorn import threads as module
from tlsrun.servers.hypercorn.exchange import Exchange
from tlsrun.servers.hypercorn.threads import Threads
from tlsrun.servers.store import SharedQuota


class Case:
    """Threads, an application that reads its body and notes how long it was, and what Hypercorn was sent."""

    def __init__(self, threads: int) -> None:
        self.read: list[Any] = []
        self.exchanges: list[Exchange] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.threads = Threads(self._app, threads=threads, multiprocess=False, software="test")

    def _app(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.read.append("begun")
        self.read.append(len(environ["wsgi.input"].read()) if environ["PATH_INFO"] == "/" else "ignored")
        if environ["PATH_INFO"] != "/":
            self.may_answer.wait(20)
        start_response("200 OK", [])
        return [b"answered"]

    def begin(self, consumed: Callable[[int], None] | None = None, path: str = "/") -> tuple[Exchange, list[Any]]:
        """A request, and what is sent in answer to it."""
        seen: list[Any] = []

        async def send(event: Any) -> None:
            seen.append(event)

        scope = {"method": "POST", "path": path, "http_version": "1.1"}
        environ = {"REQUEST_METHOD": "POST", "PATH_INFO": path, "SERVER_PROTOCOL": "HTTP/1.1", "QUERY_STRING": ""}
        self.exchanges.append(self.threads.begin(scope, environ, send, consumed=consumed))
        return self.exchanges[-1], seen


async def _until(true: Callable[[], Any]) -> None:
    async def look() -> None:
        while not true():
            await asyncio.sleep(0.005)

    await asyncio.wait_for(look(), 20)


def _part(body: bytes, *, end: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": not end}


def _status(seen: list[Any]) -> int | None:
    return next((event["status"] for event in seen if event and "status" in event), None)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs a case; a pause is 0.05 s, and too long is 0.3 s."""
    monkeypatch.setattr(module, "PATIENCE", 0.3)
    monkeypatch.setattr(module, "_PAUSE", 0.05)

    def start(case: Callable[[Case], Awaitable[None]], *, threads: int = 1) -> None:
        async def main() -> None:
            made = Case(threads)
            await case(made)
            for exchange in made.exchanges:
                await exchange.put({"type": "http.disconnect"})
            made.threads.close()

        asyncio.run(main())

    return start


def test_a_body_that_comes_in_parts(run: Callable[..., None]) -> None:
    """The application is called with its end; a client whose window is small was told meanwhile that there is room."""

    async def main(case: Case) -> None:
        told: list[int] = []
        exchange, seen = case.begin(told.append)
        for _ in range(10):
            await exchange.put(_part(bytes(10_000)))
        assert sum(told) >= 100_000 - 20_000
        assert case.read == []
        await exchange.put(_part(b"", end=True))
        await _until(lambda: _status(seen))
        assert (case.read, _status(seen)) == (["begun", 100_000], 200)

    run(main)


def test_who_goes_before_the_end(run: Callable[..., None]) -> None:
    """Nobody is called."""

    async def main(case: Case) -> None:
        exchange, seen = case.begin()
        await exchange.put(_part(b"x"))
        await exchange.put({"type": "http.disconnect"})
        await asyncio.sleep(0.5)
        assert (case.read, seen) == ([], [None])

    run(main)


def test_of_many_that_pause_some_have_a_thread(run: Callable[..., None]) -> None:
    """The others are told after a while that it took too long, and keep nobody waiting."""

    async def main(case: Case) -> None:
        case.threads._most_early = 2
        case.may_answer.clear()
        silent = [case.begin(path="/ignoring") for _ in range(4)]
        await _until(lambda: case.read.count("begun") == 2)
        await _until(lambda: [_status(seen) for _, seen in silent].count(408) == 2)
        assert case.read.count("begun") == 2
        case.may_answer.set()
        await _until(lambda: [_status(seen) for _, seen in silent].count(200) == 2)
        # Their threads are free for others again.
        _, seen = case.begin(path="/ignoring")
        await _until(lambda: _status(seen) == 200)

    run(main, threads=4)


def test_no_room_on_the_disk(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """507, and nobody is called."""

    def fail(**_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def main(case: Case) -> None:
        monkeypatch.setattr(tempfile, "TemporaryFile", fail)
        case.threads._bodies = SharedQuota(0, 1 << 28)
        exchange, seen = case.begin()
        await exchange.put(_part(bytes(200_000)))
        await _until(lambda: _status(seen))
        assert (case.read, _status(seen)) == ([], 507)

    run(main)


def test_no_room_for_more_bodies(run: Callable[..., None]) -> None:
    """When all together have used it up, the application has what there is, and the client waits."""

    async def main(case: Case) -> None:
        case.threads._bodies = SharedQuota(0, 300_000)
        waiting, _ = case.begin()
        await waiting.put(_part(bytes(200_000)))
        exchange, seen = case.begin()
        await exchange.put(_part(bytes(200_000)))
        await _until(lambda: case.read == ["begun"])
        await exchange.put(_part(bytes(1000), end=True))
        await _until(lambda: _status(seen))
        assert case.read == ["begun", 201_000]

    run(main)

"""A response on its way from the application's thread to a client that may be slow."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tlsrun.servers.hypercorn.deadlines import Deadlines
from tlsrun.servers.hypercorn.response_queue import ClientGone, ResponseQueue
from tlsrun.servers.store import SharedQuota

_PIECE = 65536
_MIB = 1 << 20
_HEAD = {"type": "http.response.start"}


class Client:
    """In place of Hypercorn's stream: receives events while ``takes`` is set."""

    def __init__(self) -> None:
        self.takes = asyncio.Event()
        self.seen: list[Any] = []

    async def send(self, event: Any) -> None:
        """As in Hypercorn, returns once the client has received enough."""
        await self.takes.wait()
        self.seen.append(event)

    @property
    def body(self) -> bytes:
        """The body received so far."""
        return b"".join(event.get("body", b"") for event in self.seen if event)

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for a condition that another thread makes true."""

        async def look() -> None:
            while not true():
                await asyncio.sleep(0.005)

        await asyncio.wait_for(look(), 20)


Case = Callable[[Client, ResponseQueue], Awaitable[None]]


def _run(case: Case, *, patience: float = 60, memory: int = 1 << 25) -> Client:
    async def main() -> Client:
        client = Client()
        loop = asyncio.get_running_loop()
        stock = SharedQuota(memory, 1 << 28)
        scope = {"method": "GET", "path": "/page"}
        queue = ResponseQueue(loop, client.send, scope, stock=stock, deadlines=Deadlines(patience))
        queue.begin(_HEAD)
        await case(client, queue)
        assert (stock.memory._left, stock.total._left) == (memory, 1 << 28)
        return client

    return asyncio.run(main())


def _make(queue: ResponseQueue, mebibytes: int) -> None:
    for number in range(mebibytes * _MIB // _PIECE):
        queue.put(bytes([number % 251]) * _PIECE, more=True)
    queue.put(b"", more=False)


def _made(mebibytes: int) -> bytes:
    return b"".join(bytes([number % 251]) * _PIECE for number in range(mebibytes * _MIB // _PIECE))


@pytest.mark.parametrize("memory", [1 << 25, 1 << 20, 0])
def test_the_thread_waits_for_nobody(memory: int) -> None:
    """The thread finishes before the client receives anything; in the end the client has the complete response."""

    async def case(client: Client, queue: ResponseQueue) -> None:
        await asyncio.to_thread(_make, queue, 8)
        assert client.seen == []
        client.takes.set()
        await client.until(lambda: len(client.body) == 8 * _MIB)

    seen = _run(case, memory=memory).seen
    assert seen[0] is _HEAD
    assert b"".join(event["body"] for event in seen[1:]) == _made(8)
    assert [event["more_body"] for event in seen[1:]] == [True] * (len(seen) - 2) + [False]


@pytest.mark.parametrize("memory", [1 << 25, 0])
def test_too_much_waits_for_the_client(memory: int) -> None:
    """The thread waits once 16 MiB are buffered, and goes on when there is room again."""

    async def case(client: Client, queue: ResponseQueue) -> None:
        making = asyncio.create_task(asyncio.to_thread(_make, queue, 40))
        await client.until(lambda: queue._store is not None and queue._store.held >= 16 * _MIB)
        done, _ = await asyncio.wait([making], timeout=0.3)
        assert not done
        assert queue._store is not None
        assert queue._store.held <= 16 * _MIB + _PIECE
        client.takes.set()
        await asyncio.wait_for(making, 20)
        await client.until(lambda: len(client.body) == 40 * _MIB)

    assert _run(case, memory=memory).body == _made(40)


def test_each_part_at_once() -> None:
    """Each part is sent at once, as an event stream needs it."""

    async def case(client: Client, queue: ResponseQueue) -> None:
        client.takes.set()
        for number in range(5):
            await asyncio.to_thread(queue.put, b"event", more=True)
            await client.until(lambda: client.body == b"event" * (number + 1))  # noqa: B023 -- it is awaited here
        await asyncio.to_thread(queue.put, b"", more=False)
        await client.until(lambda: not client.seen[-1].get("more_body", True))

    _run(case)


def test_what_breaks_off_is_seen_to() -> None:
    """The client gets the parts that were queued, then an abort instead of the end."""

    async def case(client: Client, queue: ResponseQueue) -> None:
        queue.put(b"half", more=True)
        queue.put(b"of it", more=True)
        queue.cut()
        client.takes.set()
        await client.until(lambda: None in client.seen)

    client = _run(case)
    assert client.body == b"halfof it"
    assert client.seen[-1] is None
    assert all(event["more_body"] for event in client.seen[1:-1])


def test_a_client_that_takes_nothing() -> None:
    """After the timeout the waiting thread gets ClientGone, and the buffer is discarded."""

    async def case(client: Client, queue: ResponseQueue) -> None:
        making = asyncio.create_task(asyncio.to_thread(_make, queue, 40))
        with pytest.raises(ClientGone):
            await asyncio.wait_for(making, 20)
        await client.until(lambda: queue._closed)  # the thread's timeout may expire before the loop's
        client.takes.set()
        await client.until(lambda: client.seen == [None])

    _run(case, patience=0.3)


def test_a_client_that_goes() -> None:
    """A thread that waits for the client gets ClientGone at once."""

    async def case(client: Client, queue: ResponseQueue) -> None:
        making = asyncio.create_task(asyncio.to_thread(_make, queue, 40))
        await client.until(lambda: queue._store is not None and queue._store.held >= 16 * _MIB)
        queue.close()
        with pytest.raises(ClientGone):
            await asyncio.wait_for(making, 20)
        client.takes.set()

    _run(case)


def test_what_cannot_be_sent(caplog: pytest.LogCaptureFixture) -> None:
    """An error while sending is logged, and the response is aborted."""

    async def case(client: Client, queue: ResponseQueue) -> None:
        async def refuse(event: Any) -> None:
            client.seen.append(event)
            if event is not None:
                raise ValueError("no such header")

        queue._send = refuse
        queue.put(b"part", more=True)
        await client.until(lambda: client.seen == [_HEAD, None])
        with pytest.raises(ClientGone):
            queue.put(b"part", more=True)

    with caplog.at_level(logging.ERROR):
        _run(case)
    assert "GET /page failed" in caplog.text
    assert "no such header" in caplog.text

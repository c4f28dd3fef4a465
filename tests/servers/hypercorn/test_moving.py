"""HTTP/3 by several workers: clients whose address changes, workers that are replaced, addresses to prove."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.servers.site import Serve, Site, serving
from tests.support.certs import Paths
from tests.support.h3 import Client, Router, http_3, router
from tests.support.process import eventually
from tests.support.servers import need

_MOVES = 8


@pytest.fixture(scope="module")
def four(localhost_cert: Paths, ca_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Four workers, for the tests that only ask."""
    need("hypercorn")
    folder = tmp_path_factory.mktemp("site")
    with serving(localhost_cert, ca_file, folder, server="hypercorn", workers=4) as running:
        yield running


async def _moving(site: Site, do: Callable[[Client, Router], Awaitable[None]]) -> None:
    async with router(site.address) as way, http_3(way.address, site.ca) as client:
        await do(client, way)


def _are_answered_where_they_began(site: Site) -> None:
    """Four clients that move, each by the worker that has its connection."""

    async def pages(client: Client, way: Router) -> None:
        first = (await client.ask("/pid")).body
        for _ in range(_MOVES):
            await way.move()
            assert (await client.ask("/pid")).body == first

    async def main() -> None:
        await asyncio.gather(*(_moving(site, pages) for _ in range(4)))

    asyncio.run(main())


def test_a_client_that_moves(four: Site) -> None:
    """It is answered on its connection, by the worker that has it, whatever worker its datagrams reach now."""
    _are_answered_where_they_began(four)


def test_a_client_that_moves_with_one_worker(hypercorn: Serve) -> None:
    """The same where there is no other worker."""
    with hypercorn(workers=1) as site:
        _are_answered_where_they_began(site)


@pytest.mark.xfail(
    sys.version_info < (3, 11),
    reason="aioquic 1.3, the newest for Python 3.10, ends a connection over a late PATH_RESPONSE",
    strict=False,
)
def test_an_upload_that_moves(four: Site) -> None:
    """Its parts arrive by way of one worker after the other, and none is missing."""

    async def upload(client: Client, way: Router) -> None:
        number = client.begin("POST", "/read", host="localhost", body=True)
        for _ in range(_MOVES):
            client.send(number, bytes(50_000))
            await client.room(number)
            await way.move()
        client.send(number, bytes(50_000), end=True)
        assert (await client.answer(number)).body == b"%d" % (50_000 * (_MOVES + 1))

    asyncio.run(_moving(four, upload))


def test_ids_that_the_client_changes(four: Site) -> None:
    """Every ID of a connection names its worker, not only the first one (RFC 9000, section 5.1.1)."""

    async def changing(client: Client, way: Router) -> None:
        first = (await client.ask("/pid")).body
        for _ in range(_MOVES):
            client.change_connection_id()
            await way.move()
            assert (await client.ask("/pid")).body == first

    asyncio.run(_moving(four, changing))


def test_a_worker_that_leaves(hypercorn: Serve, tmp_path: Path) -> None:
    """While another one has its socket already, it answers what it had begun, to clients that move, too."""

    async def main(site: Site) -> None:
        before = site.workers()
        async with router(site.address) as way, http_3(way.address, site.ca) as client:
            number = client.begin("POST", "/read", host="localhost", body=True)
            held = client.begin("GET", "/held/a", host="localhost")
            await asyncio.to_thread(eventually, (tmp_path / "held-a").exists, what="the begin of the request")

            async def relieved() -> None:
                # By another connection, which says goodbye when it likes.
                while int(await asyncio.to_thread(lambda: site.get("/pid").text)) in before:
                    pass

            await asyncio.wait_for(relieved(), 60)
            assert len(site.workers()) == 2  # the one that leaves waits for its client
            for _ in range(3):
                await way.move()
                client.send(number, bytes(50_000))
                await client.room(number)
            async with http_3(site.address, site.ca) as another:
                assert int((await another.ask("/pid")).body) not in before
            (tmp_path / "let-go").touch()
            assert (await client.answer(held)).body == b"a"
            client.send(number, b"", end=True)
            assert (await client.answer(number)).body == b"150000"

    with hypercorn("--server-options", "max_requests=2", workers=1) as site:
        asyncio.run(main(site))
        eventually(lambda: len(site.workers()) == 1, what="the end of the worker that was relieved")
        assert "Traceback" not in site.server.log()


def test_a_worker_that_is_replaced(hypercorn: Serve) -> None:
    """The one in the place of a worker that has died answers clients that come, move, and came before to another."""

    async def main(site: Site) -> None:
        async with router(site.address) as way, http_3(way.address, site.ca) as client:
            mine = int((await client.ask("/pid")).body)
            killed = (site.workers() - {mine}).pop()
            os.kill(killed, signal.SIGKILL)
            log = "ended unexpectedly (-9); another one is started"
            await asyncio.to_thread(site.server.until_logged, log)
            await asyncio.to_thread(eventually, lambda: len(site.workers()) == 4, what="another worker")
            for _ in range(_MOVES):
                await way.move()
                assert int((await client.ask("/pid")).body) == mine
            for _ in range(_MOVES):
                async with http_3(site.address, site.ca) as new:
                    assert (await new.ask("/pid")).status == 200

    with hypercorn(workers=4) as site:
        asyncio.run(main(site))


@pytest.fixture
def crowd() -> Iterator[Callable[[Site], None]]:
    """Handshakes that do not go on, more of them than a worker has without asking for a proof of the address."""
    sockets: list[socket.socket] = []

    def begin(site: Site) -> None:
        from aioquic.h3.connection import H3_ALPN
        from aioquic.quic.configuration import QuicConfiguration
        from aioquic.quic.connection import QuicConnection

        configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name="localhost")
        for _ in range(70):
            quic = QuicConnection(configuration=configuration)
            quic.connect(site.address, now=0)
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sockets.append(made)
            for data, address in quic.datagrams_to_send(now=0):
                made.sendto(data, address)

    yield begin
    for made in sockets:
        made.close()


def test_addresses_are_proved_in_a_crowd(hypercorn: Serve, crowd: Callable[[Site], None]) -> None:
    """A client that is asked for a proof is served all the same, and may move afterwards."""
    asked = []

    class Listening(Router):
        def down(self, data: bytes) -> None:
            # RFC 9000, section 17.2.5: a long header of type 3.
            asked.append(data[0] & 0xF0 == 0xF0)
            super().down(data)

    async def main(site: Site) -> None:
        async with AsyncExitStack() as stack:
            way = Listening(site.address)
            loop = asyncio.get_running_loop()
            await loop.create_datagram_endpoint(lambda: way, local_addr=("127.0.0.1", 0))
            stack.callback(way.close)
            await way.move()
            client = await stack.enter_async_context(http_3(way.address, site.ca))
            for _ in range(3):
                assert (await client.ask("/pid")).status == 200
                await way.move()

    with hypercorn(workers=1) as site:
        crowd(site)
        asyncio.run(main(site))
        assert any(asked)

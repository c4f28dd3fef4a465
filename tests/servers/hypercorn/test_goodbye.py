"""Hypercorn's workers that leave: what clients with kept connections have on the way is answered, by every version.

And requests that nobody waits for any more when their turn comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import signal
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.site import Serve, Site
from tests.support.clients import client_context, tls_connect
from tests.support.h3 import Reset, http_3
from tests.support.http2 import Http2Client, NotTaken
from tests.support.process import eventually

_CLIENTS, _REQUESTS = 8, 60


def _kept_by_http_1(site: Site, seen: Counter[str], goes_on: Callable[[], bool]) -> None:
    connection = None
    while goes_on():
        try:
            if connection is None:
                connection = http.client.HTTPSConnection(
                    "localhost", site.address[1], context=client_context(site.ca), timeout=20
                )
            connection.request("GET", "/pid")
            with connection.getresponse() as answer:
                answer.read()
                seen[str(answer.status)] += 1
                if answer.will_close:
                    connection.close()
                    connection = None
        except OSError as error:
            seen[type(error).__name__] += 1
            connection = None
    if connection is not None:
        connection.close()


def _kept_by_http_2(site: Site, seen: Counter[str], goes_on: Callable[[], bool]) -> None:
    with contextlib.ExitStack() as stack:
        client = None
        while goes_on():
            try:
                if client is None:
                    client = stack.enter_context(Http2Client(site.address, site.ca))
                client.ask("/pid")
                seen["200"] += 1
            except NotTaken:  # and so is asked again
                client = None
            except OSError as error:
                seen[type(error).__name__] += 1
                client = None


def _kept_by_http_3(site: Site, seen: Counter[str], goes_on: Callable[[], bool]) -> None:
    async def one_connection() -> None:
        async with http_3(site.address, site.ca) as client:
            while goes_on():
                try:
                    seen[str((await client.ask("/pid")).status)] += 1
                except Reset as left:
                    if left.args[0] != 0x100:  # H3_NO_ERROR: GOAWAY came before
                        seen[str(left.args)] += 1
                    return

    while goes_on():
        try:
            asyncio.run(one_connection())
        except OSError as error:
            seen[type(error).__name__] += 1


_BY = {"1.1": _kept_by_http_1, "2": _kept_by_http_2, "3": _kept_by_http_3}


@contextlib.contextmanager
def _asking(site: Site, version: str) -> Iterator[Counter[str]]:
    """Clients that keep their connections, each of which asks so often; what they saw is there after the block."""
    seen: Counter[str] = Counter()

    def one() -> None:
        own: Counter[str] = Counter()
        _BY[version](site, own, lambda: own.total() < _REQUESTS)
        seen.update(own)

    threads = [threading.Thread(target=one) for _ in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("version", _BY)
def test_max_requests_of_kept_connections(hypercorn: Serve, version: str) -> None:
    """Each request is answered; a worker that has had enough goes on until another one serves."""
    with hypercorn("--server-options", "max_requests=20") as site:
        before = site.workers()
        with _asking(site, version) as seen:
            pass
        assert seen == {"200": _CLIENTS * _REQUESTS}

        def relieved() -> bool:
            site.get("/pid")  # one of them may not have had its share of the connections
            return not (site.workers() & before)

        eventually(relieved, what="the end of the first workers")
        eventually(lambda: len(site.workers()) == 2, what="the end of those that were relieved")
        assert "Traceback" not in site.server.log()
        assert "unexpectedly" not in site.server.log()
        site.server.signal(signal.SIGTERM)
        assert site.server.wait(20) == 0


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_the_last_answer_says_so(hypercorn: Serve, version: str, tmp_path: Path) -> None:
    """Told to stop amid a request, a worker says with the answer, or behind it, that the client has to come anew."""
    with hypercorn("--server-options", "max_requests=1", workers=1) as site, contextlib.ExitStack() as stack:
        before = site.workers()
        if version == "1.1":
            tls = stack.enter_context(tls_connect(site.address, site.ca))
            connection = http.client.HTTPConnection("localhost")
            connection.sock = tls
            connection.request("GET", "/held/a")
        else:
            client = stack.enter_context(Http2Client(site.address, site.ca))
            stream = client.begin("/held/a")
        eventually((tmp_path / "held-a").exists, what="the begin of the request")
        assert site.get("/pid").status == 200
        eventually(lambda: site.workers() - before, what="another worker")
        site.server.wait_for(lambda: int(site.get("/pid").text) not in before, what="an answer of it")
        (tmp_path / "let-go").touch()
        if version == "1.1":
            with connection.getresponse() as answer:
                assert (answer.read(), answer.headers["Connection"]) == (b"a", "close")
        else:
            assert client.answer(stream) == b"a"
            eventually(lambda: _is_not_taken(client), what="the word that it is to come anew")


def _is_not_taken(client: Http2Client) -> bool:
    """Ask; what is asked before the word has come is answered."""
    try:
        client.ask("/pid")
    except NotTaken:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["stop", "reload"])
def test_a_last_word_by_http_2(hypercorn: Serve, number: int, tmp_path: Path) -> None:
    """What comes just after a worker was told to leave, on a connection in use or on a new one, is answered.

    Or it is said not to be taken; in no case is its stream reset as if something had failed.
    """
    with hypercorn(workers=1) as site, contextlib.ExitStack() as stack:
        busy, new = (stack.enter_context(Http2Client(site.address, site.ca)) for _ in range(2))
        new.ping()  # it is this worker's
        stream = busy.begin("/held/a")
        eventually((tmp_path / "held-a").exists, what="the begin of the request")
        site.server.signal(number)
        seen = Counter[str]()
        while not seen["not taken"]:
            for client in (busy, new):
                try:
                    seen["answered"] += bool(client.ask("/pid"))
                except NotTaken:
                    seen["not taken"] += 1
        (tmp_path / "let-go").touch()
        assert busy.answer(stream) == b"a"
        assert seen["answered"] >= 2


def _reset(tls: socket.socket) -> None:
    """Go without a word."""
    tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    tls.close()


@pytest.mark.parametrize("version", ["1.1", "1.1 before its body", "2", "3"])
@pytest.mark.parametrize("threads", ["1", "2"])
def test_what_is_taken_back_is_not_run(hypercorn: Serve, version: str, threads: str, tmp_path: Path) -> None:
    """A request whose client resets its stream, or goes, while it waits for its turn."""

    async def by_http_3(site: Site) -> None:
        async with http_3(site.address, site.ca) as client:
            number = client.begin("GET", "/mark/unwanted", host="localhost")
            client._quic.reset_stream(number, 0x10C)  # H3_REQUEST_CANCELLED
            client.leave(number)
            await client.ping()

    with hypercorn("--threads", threads, workers=1) as site, Http2Client(site.address, site.ca) as holding:
        held = [holding.begin(f"/held/{number}") for number in range(int(threads))]
        for number in range(int(threads)):
            eventually((tmp_path / f"held-{number}").exists, what="the begin of the requests")
        if version.startswith("1.1"):
            tls = tls_connect(site.address, site.ca)
            if version == "1.1":
                tls.sendall(b"GET /mark/unwanted HTTP/1.1\r\nHost: localhost\r\n\r\n")
                for _ in range(3):  # the event loop has turned, and taken it
                    holding.ping()
            else:
                tls.sendall(b"POST /mark/unwanted HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n")
                tls.sendall(b"Expect: 100-continue\r\n\r\n")
                assert tls.recv(100).startswith(b"HTTP/1.1 100 ")  # it was taken
            _reset(tls)
            for _ in range(3):  # the event loop has turned, and seen it
                holding.ping()
        elif version == "2":
            holding.take_back(holding.begin("/mark/unwanted"))
        else:
            asyncio.run(by_http_3(site))
        # Behind all that in the queue.
        wanted = holding.begin("/mark/wanted")
        (tmp_path / "let-go").touch()
        assert [holding.answer(stream) for stream in (*held, wanted)] == [
            *(str(number).encode() for number in range(int(threads))),
            b"wanted",
        ]
        assert holding.ask("/pid").decode() in map(str, site.workers())
        assert "mark-wanted" in os.listdir(tmp_path)
        assert "mark-unwanted" not in os.listdir(tmp_path)
        assert "Traceback" not in site.server.log()

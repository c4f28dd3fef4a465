"""One upload that breaks off, in every way, under every server: nobody takes it for whole, and nothing of it is left.

The application is told by an exception, or not called at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.applications import uploads as broken_site
from tests.support import frames
from tests.support.certs import Paths
from tests.support.clients import client_context, tls_connect
from tests.support.h3 import http_3
from tests.support.process import eventually
from tests.support.servers import ALL_SERVERS, need
from tests.support.sites import Site, serving

#: Breaks an upload to a path off; before the last part of that it calls the third.
Way = Callable[[Site, str, Callable[[], None]], None]

_LENGTH = "Content-Length: 1000000"
_CHUNKED = "Transfer-Encoding: chunked"
#: Enough that a server which takes uploads piece by piece has called the application.
_PART = b"x" * 100_000
_CHUNK = b"186a0\r\n" + _PART + b"\r\n"


def _http_1(field: str, body: bytes, *, reset: bool = False, waits: bool = False) -> Way:
    def upload(site: Site, path: str, sent: Callable[[], None]) -> None:
        with tls_connect(site.address, site.ca) as tls:
            tls.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{field}\r\n\r\n".encode() + body)
            sent()
            if reset:
                tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif waits:
                assert not tls.recv(12).startswith(b"HTTP/1.1 2"), path
            else:
                with contextlib.suppress(OSError):
                    tls.unwrap()

    return upload


def _http_2(length: int | None, end: bytes) -> Way:
    def upload(site: Site, path: str, sent: Callable[[], None]) -> None:
        context = client_context(site.ca)
        context.set_alpn_protocols(["h2"])
        with tls_connect(site.address, site.ca, context=context) as tls:
            body = b"".join(frames.frame(frames.DATA, b"x" * 10_000, stream=1) for _ in range(6))
            tls.sendall(frames.http_2_post(path, site.port, length) + body)
            # The head is taken before the end comes: the server has acknowledged our settings, which came before it.
            while frames.frame(frames.SETTINGS, flags=1) not in tls.recv(65536):
                pass
            sent()
            tls.sendall(end)
            if end:
                # As long as that takes the connection stands: the stream alone breaks off.
                tls.sendall(frames.frame(frames.PING, b"answerme"))
                while b"answerme" not in tls.recv(65536):
                    pass

    return upload


def _http_3(*, reset: bool) -> Way:
    def upload(site: Site, path: str, sent: Callable[[], None]) -> None:
        async def main() -> None:
            async with http_3(site.address, site.ca) as client:
                number = client.begin("POST", path, host=f"localhost:{site.port}", body=True, content_length="1000000")
                client.send(number, _PART)
                await client.room(number)
                await asyncio.to_thread(sent)
                if reset:
                    client.give_up(number)
                    await client.ping()

        asyncio.run(main())

    return upload


def _reset(code: int) -> bytes:
    return frames.frame(frames.RST_STREAM, struct.pack("!I", code), stream=1)


HTTP_1: dict[str, Way] = {
    "close": _http_1(_LENGTH, _PART),
    "reset": _http_1(_LENGTH, _PART, reset=True),
    "close-in-chunk": _http_1(_CHUNKED, _CHUNK[:1000]),
    "close-between-chunks": _http_1(_CHUNKED, _CHUNK),
    "close-in-last-chunk": _http_1(_CHUNKED, _CHUNK + b"0\r\n"),
    "reset-in-chunks": _http_1(_CHUNKED, _CHUNK, reset=True),
    "no-chunk": _http_1(_CHUNKED, _CHUNK + b"no size\r\n", waits=True),
}
HTTP_2: dict[str, Way] = {
    "cancel": _http_2(1_000_000, _reset(frames.CANCEL)),
    "failure": _http_2(1_000_000, _reset(frames.INTERNAL_ERROR)),
    "close": _http_2(1_000_000, b""),
    "cancel-without-length": _http_2(None, _reset(frames.CANCEL)),
    "failure-without-length": _http_2(None, _reset(frames.INTERNAL_ERROR)),
    "close-without-length": _http_2(None, b""),
    "failure-of-a-long-one": _http_2(50_000_000, _reset(frames.INTERNAL_ERROR)),
}
HTTP_3: dict[str, Way] = {"cancel": _http_3(reset=True), "close": _http_3(reset=False)}

WAYS = {
    "builtin": [HTTP_1],
    "gunicorn": [HTTP_1],
    "uwsgi": [HTTP_1],
    "granian": [HTTP_1, HTTP_2],
    "hypercorn": [HTTP_1, HTTP_2, HTTP_3],
}
#: Those that have the application begin once the client pauses: it is in the middle when the upload breaks off.
PAUSES = {
    "hypercorn": {
        "http-1-close": HTTP_1["close"],
        "http-1-reset-in-chunks": HTTP_1["reset-in-chunks"],
        "http-2-cancel": HTTP_2["cancel"],
        "http-2-close-without-length": HTTP_2["close-without-length"],
        "http-3-cancel": HTTP_3["cancel"],
    },
}


def _ways(server: str) -> Iterator[tuple[str, Way]]:
    for version, ways in enumerate(WAYS[server], 1):
        for name, way in ways.items():
            yield f"http-{version}-{name}", way


@pytest.mark.representatives
@pytest.mark.parametrize("app", ["plain", "flask_app", "bottle_app"])
@pytest.mark.parametrize(("server", "threads"), [*((server, 4) for server in WAYS), ("granian", 1)])
def test_nobody_takes_it_for_whole(
    server: str, threads: int, app: str, ca_file: Path, localhost_cert: Paths, tmp_path: Path
) -> None:
    """The application sees an exception, and the log no traceback; no thread and no processor time is left behind."""
    need(server)
    serve = serving(server, ca_file, localhost_cert)
    http = {"hypercorn": ("--http", "1.1,2,3")}.get(server, ())
    with serve(
        *http, app=f"{broken_site.__file__}:{app}", threads=threads, **{broken_site.FOLDER: str(tmp_path)}
    ) as site:
        for name, way in _ways(server):
            for how in ("pieces", "whole") if app == "plain" else ("pieces",):
                way(site, f"/{how}/{name}-{how}", lambda: None)
        for name, way in PAUSES.get(server, {}).items():
            note = tmp_path / f"{name}-paused"
            way(site, f"/pieces/{note.name}", partial(eventually, note.exists, what="the begin of the application"))
        assert site.get().body == b"hello"
        eventually(lambda: "began" not in _outcomes(tmp_path).values(), what=f"the end of all: {_outcomes(tmp_path)}")
        eventually(_Idle(site), what="an idle server")
        outcomes = _outcomes(tmp_path)
        whole = {name for name, outcome in outcomes.items() if not outcome.startswith("broken: ")}
        assert not whole, outcomes
        # The edge in front of uWSGI takes an upload whole before it asks the application.
        assert bool(outcomes) == (server != "uwsgi")
        assert "Traceback" not in site.server.log()


def _outcomes(folder: Path) -> dict[str, str]:
    return {note.name: note.read_text() for note in folder.iterdir()}


class _Idle:
    """Whether the server took next to no processor time since the last look, half a second or more ago."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._looked, self._ticks = time.monotonic(), self._taken()

    def __call__(self) -> bool:
        if time.monotonic() - self._looked < 0.5:
            return False
        ticks, before = self._taken(), self._ticks
        self._looked, self._ticks = time.monotonic(), ticks
        return ticks - before < 10  # hundredths of a second

    def _taken(self) -> int:
        total = 0
        for pid in self._site.server.members():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        return total


CHUNKED = b"5\r\nhello\r\n0\r\n\r\n"


@pytest.mark.representatives
@pytest.mark.parametrize("app", ["plain", "flask_app", "bottle_app"])
@pytest.mark.parametrize("server", ALL_SERVERS)
def test_chunks_that_come_whole(server: str, app: str, ca_file: Path, localhost_cert: Paths, tmp_path: Path) -> None:
    """An upload in chunks is read under every server, by every framework."""
    need(server)
    serve = serving(server, ca_file, localhost_cert)
    with serve(app=f"{broken_site.__file__}:{app}", **{broken_site.FOLDER: str(tmp_path)}) as site:
        with tls_connect(site.address, site.ca) as tls:
            tls.sendall(b"POST /pieces/whole HTTP/1.1\r\nHost: localhost\r\n" + _CHUNKED.encode() + b"\r\n\r\n")
            tls.sendall(CHUNKED)
            assert tls.recv(12) == b"HTTP/1.1 200"
        assert _outcomes(tmp_path) == {"whole": "whole: 5"}

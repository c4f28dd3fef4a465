"""Clients that take their answers, or send their bodies, a few bytes a second: nobody else waits for them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.applications.large import MIB, digest
from tests.support.certs import Paths
from tests.support.clients import client_context, free_port
from tests.support.frames import HEADERS, frame, http_2_hello
from tests.support.h3 import Client, http_3
from tests.support.process import APPLICATIONS, Server, in_time
from tests.support.servers import need
from tests.support.sites import Site, serving

_APP = APPLICATIONS / "large.py"
_WORKERS, _THREADS = 2, 2
_ANSWER = 8  # MiB
_BODY = 100_000  # bytes
_DATA, _WINDOW_UPDATE = 0, 8

#: What is started: its flags, and how many requests it runs at once.
CASES = {
    "builtin": ("builtin", (), 4),
    "builtin threads": ("builtin", ("--threads", "2"), 2),
    "builtin, one thread": ("builtin", ("--threads", "1"), 1),
    "gunicorn": ("gunicorn", ("--threads", str(_THREADS)), _WORKERS * _THREADS),
    "gunicorn sync": ("gunicorn", ("--server-options", "worker_class=sync"), _WORKERS),
    "uwsgi": ("uwsgi", ("--threads", str(_THREADS)), _WORKERS * _THREADS),
    "granian": ("granian", ("--threads", str(_THREADS)), _WORKERS * _THREADS),
    "granian alone": ("granian", ("--threads", "1"), _WORKERS),
    "hypercorn": ("hypercorn", ("--threads", str(_THREADS)), _WORKERS * _THREADS),
    "hypercorn alone": ("hypercorn", ("--threads", "1"), _WORKERS),
    "hypercorn itself": ("hypercorn", (), _WORKERS),
}


class Crowd:
    """Slow clients, and the thread that has them go on."""

    def __init__(self, step: Callable[[int, ssl.SSLSocket], None]) -> None:
        self.clients: list[ssl.SSLSocket] = []
        self._step = step
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go_on)

    def __enter__(self) -> Crowd:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.end()
        for client in self.clients:
            client.close()

    def end(self) -> None:
        """Go on no more."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _go_on(self) -> None:
        while not self._stop.wait(0.25):
            for number, client in enumerate(self.clients):
                with contextlib.suppress(OSError):  # it has been cut off, or has nothing to read yet
                    self._step(number, client)


def _connect(site: Site, *, alpn: Sequence[str] = ()) -> ssl.SSLSocket:
    context = client_context(site.ca)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    plain.settimeout(60)
    tls = context.wrap_socket(plain, server_hostname="localhost")
    tls.connect(site.address)
    return tls


def _others_are_answered(site: Site) -> None:
    for _ in range(3):
        assert in_time(lambda: site.get().body, 2) == b"hello"


@pytest.fixture(params=CASES, scope="module")
def case(request: pytest.FixtureRequest) -> str:
    """One way to start one server."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def site(case: str, ca_file: Path, localhost_cert: Paths) -> Iterator[Site]:
    """The tests of one case share it: clients that go leave nothing behind."""
    server, flags, _ = CASES[case]
    need(server)
    if case == "hypercorn itself":
        with _by_its_own_command(ca_file, localhost_cert) as started:
            yield started
        return
    with serving(server, ca_file, localhost_cert)(*flags, app=f"{_APP}:app", threads=None) as running:
        yield running


@contextlib.contextmanager
def _by_its_own_command(ca_file: Path, cert: Paths) -> Iterator[Site]:
    port = free_port()
    command = [
        Path(sys.executable).with_name("hypercorn"), "--bind", f"127.0.0.1:{port}", "--workers", str(_WORKERS),
        "--certfile", cert.fullchain, "--keyfile", cert.key, "asgi:tlsrun.entry:asgi",
    ]  # fmt: skip
    with Server(command, env={"TLSRUN_APP": f"{_APP}:app", "TLSRUN_THREADS": "1"}) as server:
        server.until_tls(("127.0.0.1", port))
        yield Site(name="hypercorn", port=port, ca=ca_file, server=server)


@pytest.fixture
def crowd_size(case: str) -> int:
    """Twice as many as there are requests at a time."""
    return 2 * CASES[case][2]


def test_slow_readers(site: Site, crowd_size: int) -> None:
    """Others are answered at once, and who reads on has every byte in the end."""
    taken: dict[int, bytes] = {}

    def read(number: int, client: ssl.SSLSocket) -> None:
        client.settimeout(0)
        taken[number] = taken.get(number, b"") + client.recv(2)

    with Crowd(read) as crowd:
        for _ in range(crowd_size):
            client = _connect(site)
            client.sendall(b"GET /%d HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % _ANSWER)
            crowd.clients.append(client)
        _others_are_answered(site)
        crowd.end()
        for number, client in enumerate(crowd.clients):
            client.settimeout(60)
            head, body = _rest(client, taken.get(number, b""))
            assert head.startswith(b"HTTP/1.1 200")
            assert (len(body), hashlib.sha256(body).hexdigest()) == (_ANSWER * MIB, digest(_ANSWER))


def _rest(client: ssl.SSLSocket, begun: bytes) -> tuple[bytes, bytes]:
    parts = [begun]
    while part := client.recv(65536):
        parts.append(part)
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    return head, body


@pytest.mark.parametrize("expects", [b"", b"Expect: 100-continue\r\n"], ids=["at once", "100-continue"])
def test_slow_senders(site: Site, crowd_size: int, expects: bytes) -> None:
    """Others are answered at once, and who sends on has an answer about every byte in the end."""
    body = bytes(number % 251 for number in range(_BODY))
    sent: dict[int, int] = {}

    def send(number: int, client: ssl.SSLSocket) -> None:
        at = sent.get(number, 0)
        client.sendall(body[at : at + 2])
        sent[number] = at + 2

    with Crowd(send) as crowd:
        for _ in range(crowd_size):
            client = _connect(site)
            head = b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%bContent-Length: %d\r\n\r\n"
            client.sendall(head % (expects, _BODY))
            crowd.clients.append(client)
        _others_are_answered(site)
        crowd.end()
        for number, client in enumerate(crowd.clients):
            client.sendall(body[sent.get(number, 0) :])
        for client in crowd.clients:
            head, said = _rest(client, b"")
            if expects:
                assert head.startswith(b"HTTP/1.1 100")
                head, _, said = said.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert said.decode() == f"{_BODY} {hashlib.sha256(body).hexdigest()}"


@pytest.fixture
def http_2(case: str) -> None:
    """Only where it is spoken."""
    if not case.startswith(("granian", "hypercorn")):
        pytest.skip("speaks HTTP/1.1 only")


def _http_2_head(method: bytes, path: bytes, *, end: bool) -> bytes:
    # RFC 7541, appendix A: 2 is GET, 3 is POST, 7 is https, 4 the name :path, 1 the name :authority.
    fields = method + b"\x87\x04" + bytes([len(path)]) + path + b"\x01\x09localhost"
    if not end:
        length = str(_BODY).encode()
        fields += b"\x0f\x0d" + bytes([len(length)]) + length  # 28 is the name content-length
    return frame(HEADERS, fields, flags=5 if end else 4, stream=1)


@pytest.mark.usefixtures("http_2")
@pytest.mark.parametrize("kind", ["readers", "senders"])
def test_over_http_2(site: Site, crowd_size: int, kind: str) -> None:
    """The client opens its window by bytes, or sends its body in frames of a byte."""
    window = frame(_WINDOW_UPDATE, struct.pack("!I", 2), stream=1)
    piece = window if kind == "readers" else frame(_DATA, b"x", stream=1)
    request = _http_2_head(b"\x82", b"/%d" % _ANSWER, end=True)
    if kind == "senders":
        request = _http_2_head(b"\x83", b"/", end=False)
    with Crowd(lambda _number, client: client.sendall(piece)) as crowd:
        for _ in range(crowd_size):
            client = _connect(site, alpn=["h2"])
            client.sendall(http_2_hello() + request)
            crowd.clients.append(client)
        _others_are_answered(site)


@pytest.mark.parametrize("kind", ["readers", "senders"])
def test_over_http_3(site: Site, case: str, crowd_size: int, kind: str) -> None:
    """The client never opens its window, or sends its body in frames of a byte."""
    if case not in ("hypercorn", "hypercorn alone"):
        pytest.skip("speaks no HTTP/3")

    async def begin(client: Client) -> int:
        if kind == "senders":
            return client.begin("POST", "/", host="localhost", body=True, content_length=str(_BODY))
        client._quic._write_stream_limits = lambda *more, **others: None  # type: ignore[method-assign]
        client._quic._write_connection_limits = lambda *more, **others: None  # type: ignore[method-assign]
        return client.begin("GET", f"/{_ANSWER}", host="localhost")

    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(http_3(site.address, site.ca)) for _ in range(crowd_size)]
            streams = [await begin(client) for client in clients]
            asked = asyncio.create_task(asyncio.to_thread(_others_are_answered, site))
            while not asked.done():
                for client, stream in zip(clients, streams, strict=True):
                    if kind == "senders":
                        client.send(stream, b"x")
                await asyncio.wait([asked], timeout=0.25)
            await asked

    asyncio.run(main())

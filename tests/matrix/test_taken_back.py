"""A client that goes before its request got a thread: the application is not called.

One that has only ended its side, and reads, is answered.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import os
import socket
import ssl
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.applications.pep_3333 import FOLDER
from tests.support.certs import Paths
from tests.support.clients import Address, client_context, free_port, tls_connect
from tests.support.process import ROOT, Server, eventually
from tests.support.servers import need


@dataclass(frozen=True, kw_only=True)
class Case:
    """A way to start a server.

    Arguments:
        server: its name.
        threads: requests that run at once.
        flags: beyond these.
        plain: plain HTTP, as behind a platform's edge.
        half_closed: whether a client that has ended its side, and waits, is answered.
        asks_at_once: whether such a client is asked while it waits, and not when its turn has come.
    """

    server: str
    threads: int
    flags: tuple[str, ...] = ()
    plain: bool = False
    half_closed: bool = True
    asks_at_once: bool = False


CASES = {
    "builtin": Case(server="builtin", threads=2, flags=("--threads", "2")),
    "builtin, one thread": Case(server="builtin", threads=1, flags=("--threads", "1")),
    "gunicorn": Case(server="gunicorn", threads=2, flags=("--threads", "2")),
    "uwsgi": Case(server="uwsgi", threads=2, flags=("--threads", "2"), asks_at_once=True),
    "gunicorn sync": Case(server="gunicorn", threads=1, flags=("--server-options", "worker_class=sync")),
    "gunicorn, plain HTTP": Case(server="gunicorn", threads=2, flags=("--threads", "2"), plain=True),
}


class Site:
    """A running server with one worker, and the folder that its application writes to."""

    def __init__(self, case: Case, server: Server, address: Address, ca: Path, folder: Path) -> None:
        self.case = case
        self.server = server
        self.address = address
        self.ca = ca
        self.folder = folder

    def client(self) -> socket.socket:
        """A connection that the worker has; without the tickets of TLS 1.3, which a client may leave unread."""
        if self.case.plain:
            plain = socket.socket()
            plain.settimeout(60)
            return plain  # gunicorn's own threads wait up to 5 seconds for one that says nothing
        context = client_context(self.ca)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        return tls_connect(self.address, self.ca, context=context)

    def send(self, client: socket.socket, path: str) -> None:
        """Send a whole request, and wait until the server has read it, if it does before its turn."""
        if self.case.plain:
            client.connect(self.address)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        if not self.case.plain:
            eventually(lambda: _unread(client) == 0, what="the server's reading")

    def get(self, path: str) -> str:
        """One page over one new connection."""
        with self.client() as client:
            self.send(client, path)
            return answer(client)

    def names(self) -> set[str]:
        """What the application has written."""
        return set(os.listdir(self.folder))


@pytest.fixture(params=CASES, scope="module")
def server(
    request: pytest.FixtureRequest, localhost_cert: Paths, ca_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Every way; the tests share what was started."""
    case = CASES[request.param]
    need(case.server)
    folder = tmp_path_factory.mktemp("taken-back")
    address = ("127.0.0.1", free_port())
    command = [
        sys.executable,
        "-m",
        "tlsrun",
        "run",
        "tests.applications.pep_3333:app",
        "--server",
        case.server,
        *case.flags,
    ]
    env = {FOLDER: str(folder)}
    if case.plain:
        env |= {"DYNO": "web.1", "PORT": str(address[1])}
    else:
        files = ("--cert", str(localhost_cert.fullchain), "--key", str(localhost_cert.key))
        command += ["--port", str(address[1]), *files]
    with Server(command, env=env, cwd=ROOT) as running:
        (running.until_listening if case.plain else running.until_tls)(address)
        site = Site(case, running, address, ca_file, folder)
        # Its workers have started, too. Else they could answer while `say_goodbye` looks for the server's goodbye:
        # OpenSSL drops an answer that it finds there.
        assert site.get("/pid")
        yield site


@pytest.fixture
def site(server: Site) -> Site:
    """With nothing from the test before."""
    for name in server.names():
        (server.folder / name).unlink()
    return server


def _ends(client: socket.socket) -> list[str]:
    """As proc_pid_net(5) has them, the server's first."""
    return [f"0100007F:{end[1]:04X}" for end in (client.getpeername(), client.getsockname())]


def _connection(ends: list[str]) -> list[str]:
    """What the server's system says of it; nothing when it is gone."""
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines())
    return next((line for line in lines if line[1:3] == ends), [])


def _is_gone(ends: list[str]) -> bool:
    return not _connection(ends)


def _unread(client: socket.socket) -> int:
    """Bytes that the server's system holds of this connection."""
    return int(_connection(_ends(client))[4].partition(":")[2], 16)


def answer(tls: socket.socket) -> str:
    """The body of the next answer; those of status 100 are passed over, as by every client."""
    with http.client.HTTPResponse(tls) as response:
        response.begin()
        return response.read().decode()


def say_goodbye(tls: socket.socket) -> None:
    """Send close_notify, and wait for none.

    It looks for the other side's, and says so (SSLWantReadError) when there is none; an edge's question may be there.
    """
    if not isinstance(tls, ssl.SSLSocket):
        return
    tls.settimeout(0)
    with pytest.raises(ssl.SSLError, match="did not complete|APPLICATION_DATA_AFTER_CLOSE_NOTIFY"):
        tls.unwrap()
    tls.settimeout(60)


def reset(tls: socket.socket) -> None:
    """As the system does for a program that has died with something unread."""
    tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    tls.close()


def close(tls: socket.socket) -> None:
    """As RFC 8446 wants it, and browsers do."""
    say_goodbye(tls)
    tls.close()


def end_side(tls: socket.socket) -> None:
    """As `openssl s_client` at the end of its input."""
    say_goodbye(tls)
    socket.socket.shutdown(tls, socket.SHUT_WR)


def end_side_of_tcp(tls: socket.socket) -> None:
    """Below TLS, without its word."""
    socket.socket.shutdown(tls, socket.SHUT_WR)


@contextlib.contextmanager
def all_threads_busy(site: Site) -> Iterator[None]:
    """Until the block is over."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(site.client()) for _ in range(site.case.threads)]
        for number, client in enumerate(clients):
            site.send(client, f"/held/{number}")
        for number in range(len(clients)):
            eventually((site.folder / f"held-{number}").exists, what="the begin of the requests")
        yield
        (site.folder / "let-go").touch()
        for number, client in enumerate(clients):
            assert answer(client) == str(number)


@pytest.mark.parametrize("goes", [reset, close, socket.socket.close], ids=["reset", "close_notify", "cut"])
def test_not_run(site: Site, goes: Callable[[socket.socket], None]) -> None:
    """Whichever way its client goes; those behind it are answered."""
    with contextlib.ExitStack() as stack:
        # An edge shakes hands while all threads are busy, and then waits for 10 seconds; the others are there before.
        early = [stack.enter_context(site.client()) for _ in range(0 if site.case.asks_at_once else 4)]

        def connected() -> socket.socket:
            return early.pop(0) if early else stack.enter_context(site.client())

        with all_threads_busy(site):
            for number in range(3):
                client = connected()
                site.send(client, f"/mark/unwanted-{number}")
                ends = _ends(client)
                goes(client)
                if site.case.asks_at_once:
                    eventually(functools.partial(_is_gone, ends), what="the end of the connection")
            wanted = connected()
            site.send(wanted, "/mark/wanted")
        assert answer(wanted) == "wanted"
        for _ in range(site.case.threads + 1):
            assert site.get("/pid")
    assert not [name for name in site.names() if name.startswith("mark-unwanted")]
    assert "Traceback" not in site.server.log()


@pytest.mark.parametrize("ends", [end_side, end_side_of_tcp], ids=["close_notify", "TCP alone"])
def test_who_waits_is_answered(site: Site, ends: Callable[[socket.socket], None]) -> None:
    """A client that sends nothing more, and reads."""
    if not site.case.half_closed:
        pytest.skip("this server takes it for gone; see docs/explanation/servers.md")
    with site.client() as client:
        with all_threads_busy(site):
            site.send(client, "/mark/here")
            ends(client)
        assert answer(client) == "here"
    assert "Traceback" not in site.server.log()

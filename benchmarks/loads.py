"""The load programs, as functions: wrk, h2load, curl and openssl s_time against one server."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from dataclasses import dataclass

from benchmarks.outputs import Requests, Unreadable, parse_curl, parse_h2load, parse_s_time, parse_wrk
from benchmarks.programs import Running, run

#: Processes of openssl s_time that knock at once; each makes one connection after the other.
CLIENTS = 4


@dataclass(frozen=True, kw_only=True)
class Connections:
    """New connections, each with one request.

    Arguments:
        made: how many.
        rate: connections each second, all clients together.
        resumed: the share of them that resumed a session, from 0 to 1.
    """

    made: int
    rate: float
    resumed: float


def kept_alive(server: Running, path: str, *, connections: int, seconds: int) -> Requests:
    """Requests one after the other on ``connections`` connections, by wrk in one thread.

    A server that closes after each answer is connected to again.

    Raises:
        Unreadable: the answers were no success.
    """
    words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", server.url(path)]
    return parse_wrk(run(words))


def download(server: Running, path: str, *, times: int) -> float:
    """Bytes each second of the same page several times, one after the other (HTTP/1.1), by curl.

    Raises:
        Unreadable: the answers were no success.
    """
    words = ["curl", "--silent", "--insecure", "--http1.1"]
    words += ["--write-out", "%{http_code} %{size_download} %{time_total}\n"]
    pages = [word for _ in range(times) for word in ("--output", os.devnull, server.url(path))]
    return parse_curl(run([*words, *pages]))


def http2(server: Running, path: str, *, requests: int) -> Requests:
    """Requests over 8 connections of HTTP/2, 10 at a time on each, by h2load.

    Raises:
        Unreadable: the answers were no success.
    """
    words = ["h2load", "--npn-list=h2", "-n", str(requests), "-c8", "-m10", server.url(path)]
    return parse_h2load(run(words))


def named_connections(server: Running, name: str, *, number: int) -> Requests:
    """New connections with one request each, for a name (SNI), all begun at once, by h2load.

    Raises:
        Unreadable: the answers were no success.
    """
    # As many connections as requests: each makes one. -r would wait for whole seconds, so they come all at once.
    words = ["h2load", "--h1", "-n", str(number), "-c", str(number), "--connect-to", f"127.0.0.1:{server.port}"]
    return parse_h2load(run([*words, f"https://{name}/"]))


def new_connections(server: Running, *, resume: bool, seconds: int) -> Connections:
    """Connections with one request each, by `CLIENTS` processes of openssl s_time.

    Each begins to count when it has made its first, for the start of a process is none of the server's; and ends with a
    second of the clock: they run for between ``seconds`` and one more, and that is measured.

    Raises:
        Unreadable: a client failed.
    """
    words = ["openssl", "s_time", "-connect", f"127.0.0.1:{server.port}", "-www", "/", "-time", str(seconds)]
    clients = [
        subprocess.Popen(  # noqa: S603 -- as above
            [*words, "-reuse" if resume else "-new"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for _ in range(CLIENTS)
    ]
    told = _listen(clients, seconds + 30)
    found = [parse_s_time(one.text) for one in told]
    made = sum(one.connections for one in found)
    if not made:
        raise Unreadable(f"openssl s_time: no connection: {told[0].text}")
    rate = sum((one.connections - 1) / max(times.seconds, 0.001) for one, times in zip(found, told, strict=True))
    return Connections(made=made, rate=rate, resumed=sum(one.resumed for one in found) / made)


@dataclass(kw_only=True)
class _Told:
    """What a client has told, and for how many seconds it did."""

    text: str = ""
    began: float = 0.0
    seconds: float = 0.0


def _listen(clients: list[subprocess.Popen[bytes]], patience: float) -> list[_Told]:
    """Read what all say, until all have ended; a client tells of each connection at once."""
    told = [_Told() for _ in clients]
    deadline = time.monotonic() + patience
    with selectors.DefaultSelector() as selector:
        for client, one in zip(clients, told, strict=True):
            selector.register(client.stdout or 0, selectors.EVENT_READ, one)
        while selector.get_map():
            if time.monotonic() > deadline:
                for client in clients:
                    client.kill()
                raise Unreadable(f"openssl s_time: no end after {patience:g} s")
            for key, _ in selector.select(1.0):
                part = os.read(key.fd, 1 << 16)
                one = key.data
                if not part:
                    selector.unregister(key.fd)
                    continue
                now = time.perf_counter()
                one.began = one.began or now
                one.seconds = now - one.began
                one.text += part.decode("ascii", "replace")
    for client in clients:
        client.wait()
        if client.stdout is not None:
            client.stdout.close()
    return told

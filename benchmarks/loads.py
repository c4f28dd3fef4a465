"""The load programs, as functions: wrk, h2load, curl and openssl s_time against one server."""

from __future__ import annotations

import os
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks import processes
from benchmarks.outputs import Requests, Unreadable, parse_curl, parse_h2load, parse_marks, parse_wrk
from benchmarks.programs import Running, Telling, run, telling

#: Processes of openssl s_time that knock at once; each makes one connection after the other.
CLIENTS = 4


@dataclass(frozen=True, kw_only=True)
class Connections:
    """New connections, each with one request.

    Arguments:
        made: how many.
        rate: connections each second, all clients together.
        resumed: the share of them that resumed a session, from 0 to 1.
        spent: seconds of processor time of the server for one.
        spent_by_client: the same of a client.
    """

    made: int
    rate: float
    resumed: float
    spent: float
    spent_by_client: float


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


def new_connections(server: Running, *, resume: bool, seconds: float) -> Connections:
    """Connections with one request each, by `CLIENTS` processes of openssl s_time.

    What they make in ``seconds`` is counted, from when all of them have made one: the start of a client is none of the
    server's. Nobody reads meanwhile what they tell of each connection, as that would cost more than some connections.

    Raises:
        Unreadable: a client failed.
    """
    words = ["openssl", "s_time", "-connect", f"127.0.0.1:{server.port}", "-www", "/", "-time", "60"]
    words.append("-reuse" if resume else "-new")
    with ExitStack() as stack:
        clients = [stack.enter_context(telling(words)) for _ in range(CLIENTS)]
        for one in clients:
            while not parse_marks(one.text):
                if not one.listen(30):
                    raise Unreadable(f"openssl s_time: it tells of no connection: {one.text}")
        before = _count(clients)
        began, spent, by_clients = time.perf_counter(), *_processor_times(server, clients)
        threading.Event().wait(seconds)
        took = time.perf_counter() - began
        all_spent, all_by_clients = _processor_times(server, clients)
        made, resumed = (now - then for now, then in zip(_count(clients), before, strict=True))
    if made <= 0:
        raise Unreadable(f"openssl s_time: no connection in {seconds:g} s")
    return Connections(
        made=made,
        rate=made / took,
        resumed=resumed / made,
        spent=(all_spent - spent) / made,
        spent_by_client=(all_by_clients - by_clients) / made,
    )


def _count(clients: list[Telling]) -> tuple[int, int]:
    """How many connections all have made so far, and how many of them have resumed a session."""
    for one in clients:
        one.listen(0)
    marks = "".join(parse_marks(one.text) for one in clients)
    return len(marks), marks.count("r")


def _processor_times(server: Running, clients: list[Telling]) -> tuple[float, float]:
    return processes.processor_time(server.pid), sum(processes.processor_time(one.pid) for one in clients)

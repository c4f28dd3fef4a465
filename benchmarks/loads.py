"""The load programs, as functions: wrk, h2load and curl against one server, wrk and openssl s_time against several."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks import processes
from benchmarks.outputs import Requests, Unreadable, parse_curl, parse_h2load, parse_marks, parse_wrk
from benchmarks.programs import Running, Telling, run, telling
from benchmarks.turns import go_on, stand_still, take_turns

#: Processes of openssl s_time that knock at once; each makes one connection after the other.
CLIENTS = 4
#: Seconds that a client would go on for by itself; it is ended before.
_LONG = 600
#: Seconds for one to end, and between two times that it is told to.
_PATIENCE, _NUDGE = 30, 0.01


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


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Requests on kept connections.

    Arguments:
        made: how many.
        rate: requests each second.
        spent: seconds of processor time of the server for one.
    """

    made: int
    rate: float
    spent: float


def kept_alive(server: Running, path: str, *, connections: int, seconds: int) -> Requests:
    """Requests one after the other on ``connections`` connections, by wrk in one thread.

    A server that closes after each answer is connected to again.

    Raises:
        Unreadable: the answers were no success.
    """
    words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", server.url(path)]
    return parse_wrk(run(words))


def kept_alive_in_turns(servers: Sequence[Running], path: str, *, connections: int, seconds: float) -> list[Kept]:
    """The same of several servers, whose clients take turns: so nothing is known of latency.

    Arguments:
        seconds: for each of them.

    Raises:
        Unreadable: the answers were no success.
    """
    with ExitStack() as stack:
        clients = []
        for server in servers:
            words = ["wrk", "-t1", f"-c{connections}", f"-d{_LONG}s", server.url(path)]
            clients.append(stack.enter_context(telling(words)))
            stand_still([clients[-1].pid])
        before = [processes.processor_time(server.pid) for server in servers]
        ran = take_turns([[one.pid] for one in clients], seconds)
        found = []
        for server, client, spent, took in zip(servers, clients, before, ran, strict=True):
            # It ends a tenth of a second after its first thread has heard of it. Another thread, which may hear of it
            # while the first is about to go on, only stops to ask for pages.
            began = time.perf_counter()
            go_on([client.pid])
            while not client.ended and time.perf_counter() - began < _PATIENCE:
                client.listen(_NUDGE)
                os.kill(client.pid, signal.SIGINT)
            took += time.perf_counter() - began
            made = parse_wrk(client.text).made
            if not made:
                raise Unreadable(f"wrk: {client.text}")
            spent = processes.processor_time(server.pid) - spent
            found.append(Kept(made=made, rate=made / took, spent=spent / made))
    return found


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


def new_connections(servers: Sequence[Running], *, resume: bool, seconds: float) -> list[Connections]:
    """Connections with one request each, by `CLIENTS` processes of openssl s_time for each server, which take turns.

    They are counted once each client has made one: the start of a client is none of the server's. Nobody reads
    meanwhile what they tell of each connection, as that would cost more than some connections.

    Arguments:
        seconds: for each server.

    Raises:
        Unreadable: a client failed.
    """
    with ExitStack() as stack:
        teams = [_knocking(stack, server, resume=resume) for server in servers]
        pids = [[one.pid for one in team] for team in teams]
        before = [_count(team) for team in teams]
        spent = [_processor_times(server, team) for server, team in zip(servers, teams, strict=True)]
        ran = take_turns(pids, seconds)
        found = []
        for number, (server, team) in enumerate(zip(servers, teams, strict=True)):
            made, resumed = (now - then for now, then in zip(_count(team), before[number], strict=True))
            if made <= 0:
                raise Unreadable(f"openssl s_time: no connection in {seconds:g} s")
            of_both = zip(_processor_times(server, team), spent[number], strict=True)
            of_server, of_clients = ((now - then) / made for now, then in of_both)
            found.append(
                Connections(
                    made=made,
                    rate=made / ran[number],
                    resumed=resumed / made,
                    spent=of_server,
                    spent_by_client=of_clients,
                )
            )
    return found


def _knocking(stack: ExitStack, server: Running, *, resume: bool) -> list[Telling]:
    """Clients that have made a connection each, and stand still."""
    words = ["openssl", "s_time", "-connect", f"127.0.0.1:{server.port}", "-www", "/", "-time", str(_LONG)]
    words.append("-reuse" if resume else "-new")
    clients = [stack.enter_context(telling(words)) for _ in range(CLIENTS)]
    for one in clients:
        while not parse_marks(one.text):
            if not one.listen(30):
                raise Unreadable(f"openssl s_time: it tells of no connection: {one.text}")
    stand_still([one.pid for one in clients])
    return clients


def _count(clients: list[Telling]) -> tuple[int, int]:
    """How many connections all have made so far, and how many of them have resumed a session."""
    for one in clients:
        one.listen(0)
    marks = "".join(parse_marks(one.text) for one in clients)
    return len(marks), marks.count("r")


def _processor_times(server: Running, clients: list[Telling]) -> tuple[float, float]:
    return processes.processor_time(server.pid), sum(processes.processor_time(one.pid) for one in clients)

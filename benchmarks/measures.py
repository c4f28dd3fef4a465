"""What is measured of servers that run: each measure by its name, with its unit."""

from __future__ import annotations

import socket
import ssl
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks import processes
from benchmarks.loads import download, http2, kept_alive, kept_alive_in_turns, new_connections
from benchmarks.outputs import Requests
from benchmarks.programs import Running, client_context

#: Values of one round, by name: ``kept-8`` and ``kept-8 p99`` come from one load.
Values = Mapping[str, float]

#: How long connections and requests are counted, and how long a load goes on without a pause for the latency.
_SECONDS, _UNBROKEN = 1, 1
#: Of so many connections, the handshakes alone take a second.
_MANY, _MANY_SECONDS = 512, 4
_IDLE = 200
_ANSWER = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

_Together = Callable[[Sequence[Running], int], Sequence[Values]]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One thing to measure.

    Arguments:
        name: of its main value.
        run: measures servers once, for so many seconds each where it is a load that goes on.
        seconds: how many.
        once: in one round only.
    """

    name: str
    run: _Together
    seconds: int = _SECONDS
    once: bool = False

    def of(self, servers: Sequence[Running]) -> Sequence[Values]:
        """What each of the servers shows."""
        return self.run(servers, self.seconds)


def _one_by_one(run: Callable[[Running, int], Values]) -> _Together:
    return lambda servers, seconds: [run(server, seconds) for server in servers]


def _connections(name: str, *, resume: bool) -> Measure:
    def run(servers: Sequence[Running], seconds: int) -> Sequence[Values]:
        return [
            {
                name: found.rate,
                f"{name} resumed": found.resumed,
                f"{name} cpu": found.spent,
                f"{name} client": found.spent_by_client,
            }
            for found in new_connections(servers, resume=resume, seconds=seconds)
        ]

    return Measure(name=name, run=run)


def _kept(connections: int) -> Measure:
    name = f"kept-{connections}"

    def run(servers: Sequence[Running], seconds: int) -> Sequence[Values]:
        in_turns = kept_alive_in_turns(servers, "/", connections=connections, seconds=seconds)
        unbroken = [kept_alive(server, "/", connections=connections, seconds=_UNBROKEN) for server in servers]
        return [
            {**_told(name, alone), name: found.rate, f"{name} cpu": found.spent}
            for found, alone in zip(in_turns, unbroken, strict=True)
        ]

    return Measure(name=name, run=run)


def _many_kept(server: Running, seconds: int) -> Values:
    before = processes.processor_time(server.pid)
    found = kept_alive(server, "/", connections=_MANY, seconds=seconds)
    spent = processes.processor_time(server.pid) - before
    return {**_told(f"kept-{_MANY}", found), f"kept-{_MANY} cpu": spent / max(found.made, 1)}


def _told(name: str, found: Requests) -> Values:
    values = {name: found.rate, f"{name} p50": found.p50, f"{name} p99": found.p99, f"{name} errors": found.errors}
    return {key: value for key, value in values.items() if value is not None}


def _page(servers: Sequence[Running], seconds: int) -> Sequence[Values]:
    return [{"64k": found.rate} for found in kept_alive_in_turns(servers, "/64k", connections=8, seconds=seconds)]


def _large(server: Running, seconds: int) -> Values:
    return {"64m": download(server, "/64m", times=2)}


def _http2(server: Running, seconds: int) -> Values:
    return {"http2": http2(server, "/", requests=2000).rate}


def _memory(server: Running, seconds: int) -> Values:
    workers = [one for one in processes.family(server.pid) if one != server.pid] or [server.pid]
    return {
        "memory": processes.total(server.pid),
        "memory worker": statistics.mean(processes.proportional(one) for one in workers),
    }


def _idle(server: Running, seconds: int) -> Values:
    before = processes.total(server.pid)
    with ExitStack() as stack:
        context = client_context()
        for _ in range(_IDLE):
            _ask(stack, context, server.port)
        return {"idle": (processes.total(server.pid) - before) / _IDLE}


def _ask(stack: ExitStack, context: ssl.SSLContext, port: int) -> None:
    plain = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
    tls = stack.enter_context(context.wrap_socket(plain))
    tls.sendall(_ANSWER)
    tls.recv(4096)


NEW = _connections("new", resume=False)
RESUMED = _connections("resumed", resume=True)
NEW_RSA = _connections("new-rsa", resume=False)
KEPT_1, KEPT_8, KEPT_64 = (_kept(number) for number in (1, 8, 64))
KEPT_512 = Measure(name=f"kept-{_MANY}", run=_one_by_one(_many_kept), seconds=_MANY_SECONDS, once=True)
PAGE = Measure(name="64k", run=_page)
LARGE = Measure(name="64m", run=_one_by_one(_large))
HTTP2 = Measure(name="http2", run=_one_by_one(_http2))
MEMORY = Measure(name="memory", run=_one_by_one(_memory), once=True)
IDLE = Measure(name="idle", run=_one_by_one(_idle), once=True)

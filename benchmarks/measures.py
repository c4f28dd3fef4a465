"""What is measured of a server that runs: each measure by its name, with its unit."""

from __future__ import annotations

import socket
import ssl
import statistics
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks import processes
from benchmarks.loads import Connections, download, http2, kept_alive, new_connections
from benchmarks.outputs import Requests
from benchmarks.programs import Running, client_context

#: Values of one round, by name: ``kept-8`` and ``kept-8 p99`` come from one load.
Values = Mapping[str, float]

#: What the connections of the load programs are, by the names of the measures.
KEPT = (1, 8, 64, 512)
#: How long connections and requests are counted.
_SECONDS = 2
#: Of so many connections, the handshakes alone take a second.
_MANY, _MANY_SECONDS = 512, 4
_IDLE = 200
_ANSWER = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One thing to measure.

    Arguments:
        name: of its main value.
        run: measures a server once, for so many seconds where it is a load that goes on.
        seconds: how many.
        once: in one round only.
    """

    name: str
    run: Callable[[Running, int], Values]
    seconds: int = _SECONDS
    once: bool = False

    def of(self, server: Running) -> Values:
        """What a server shows."""
        return self.run(server, self.seconds)


def _connections(name: str, *, resume: bool) -> Measure:
    def run(server: Running, seconds: int) -> Values:
        found: Connections = new_connections(server, resume=resume, seconds=seconds)
        return {
            name: found.rate,
            f"{name} resumed": found.resumed,
            f"{name} cpu": found.spent,
            f"{name} client": found.spent_by_client,
        }

    return Measure(name=name, run=run)


def _kept(connections: int) -> Measure:
    def run(server: Running, seconds: int) -> Values:
        before = processes.processor_time(server.pid)
        found = kept_alive(server, "/", connections=connections, seconds=seconds)
        spent = processes.processor_time(server.pid) - before
        name = f"kept-{connections}"
        return {**_told(name, found), f"{name} cpu": spent / max(found.made, 1)}

    many = connections >= _MANY
    return Measure(name=f"kept-{connections}", run=run, seconds=_MANY_SECONDS if many else _SECONDS, once=many)


def _told(name: str, found: Requests) -> Values:
    values = {name: found.rate, f"{name} p50": found.p50, f"{name} p99": found.p99, f"{name} errors": found.errors}
    return {key: value for key, value in values.items() if value is not None}


def _page(server: Running, seconds: int) -> Values:
    return _told("64k", kept_alive(server, "/64k", connections=8, seconds=seconds))


def _large(server: Running, seconds: int) -> Values:
    return {"64m": download(server, "/64m", times=4)}


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
KEPT_1, KEPT_8, KEPT_64, KEPT_512 = (_kept(number) for number in KEPT)
PAGE = Measure(name="64k", run=_page)
LARGE = Measure(name="64m", run=_large)
HTTP2 = Measure(name="http2", run=_http2)
MEMORY = Measure(name="memory", run=_memory, once=True)
IDLE = Measure(name="idle", run=_idle, once=True)

"""Many certificates by SNI: memory, the first handshake for a name, and the rate with all of them there."""

from __future__ import annotations

import socket
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks import processes
from benchmarks.certificates import new_authority, write_pair
from benchmarks.contenders import FLASK, ours
from benchmarks.loads import named_connections
from benchmarks.programs import Running, client_context, free_port, serving
from tlsrun.development.issue import CertificateAuthority

#: How many certificates there are beside the default one.
NUMBERS = (1, 100, 1000)
_NAMES = 40


def measure(numbers: tuple[int, ...], rounds: int) -> dict[str, dict[str, list[float]]]:
    """By the number of certificates: memory, start, first and later handshakes for a name, new connections a second.

    All servers (``--server builtin``, one process) are up at once; the rate goes A B C, A B C.
    """
    found: dict[str, dict[str, list[float]]] = {str(number): {} for number in numbers}
    authority = new_authority()
    with tempfile.TemporaryDirectory(prefix="tlsrun-bench-") as name, ExitStack() as stack:
        servers = {str(number): _start(stack, authority, Path(name), number) for number in numbers}
        for number, server in servers.items():
            values = found[number]
            values["start"] = [server.started_in]
            values["memory"] = [processes.total(server.pid)]
            for when in ("first", "later"):
                values[when] = [_handshake(server.port, site(one)) for one in range(min(int(number), _NAMES))]
        for _ in range(rounds):
            for number, server in servers.items():
                rate = named_connections(server, site(int(number) - 1), number=300).rate
                found[number].setdefault("new", []).append(rate)
    return found


def site(number: int) -> str:
    """The name of one of the sites."""
    return f"site-{number}.test"


def _start(stack: ExitStack, authority: CertificateAuthority, folder: Path, number: int) -> Running:
    default = write_pair(authority, folder / str(number), "localhost")
    sites = folder / str(number) / "sites"
    for one in range(number):
        write_pair(authority, sites, site(one), address=False)
    contender = ours("builtin", "--sni", str(sites))
    port = free_port()
    return stack.enter_context(serving(contender.command(default, port, FLASK), port, folder, {}))


def _handshake(port: int, name: str) -> float:
    context = client_context()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        began = time.perf_counter()
        with context.wrap_socket(plain, server_hostname=name):
            return time.perf_counter() - began

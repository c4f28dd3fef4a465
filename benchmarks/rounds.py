"""Measuring side by side: every server of a comparison is up, and each measure goes A B, B A."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

from benchmarks.certificates import KEY_TYPES, Files, new_authority, write_pair
from benchmarks.comparisons import Comparison
from benchmarks.contenders import Contender
from benchmarks.loads import kept_alive
from benchmarks.measures import IDLE, MEMORY, Measure
from benchmarks.programs import Running, free_port, serving
from tlsrun.development.issue import CertificateAuthority

#: By the title of a contender, by the name of a value: one number for each round.
Series: TypeAlias = dict[str, dict[str, list[float]]]
Say: TypeAlias = Callable[[str], None]


#: So many starts for each round: one is short, and what else the machine does is a large part of it.
_STARTS = 2
#: Seconds of load before anything is measured.
_WARM = 2


def measure(comparison: Comparison, *, rounds: int, say: Say) -> Series:
    """All values of a comparison.

    Arguments:
        rounds: how often each measure is repeated.
        say: told what is done.
    """
    series: Series = {one.title: {} for one in comparison.contenders}
    authority = new_authority()
    if comparison.starts:
        for _ in range(_STARTS * rounds):
            with tempfile.TemporaryDirectory(prefix="tlsrun-bench-") as name:
                _start_each(comparison, authority, Path(name), series)
    for key in KEY_TYPES:
        wanted = comparison.measures if key == "ecdsa" else comparison.rsa
        if wanted:
            with tempfile.TemporaryDirectory(prefix="tlsrun-bench-") as name, ExitStack() as stack:
                files = write_pair(authority, Path(name), "localhost", key=key)
                servers = [
                    (one, _start(stack, one, comparison.application, files, Path(name)))
                    for one in comparison.contenders
                ]
                if key == "ecdsa":
                    # First of all: a server under load keeps the memory that it took.
                    _alternate(MEMORY, servers, rounds, series, say)
                if key == "ecdsa" and comparison.idle:
                    _alternate(IDLE, [pair for pair in servers if pair[0].keeps_alive], rounds, series, say)
                for _, server in servers:
                    # What a server does once, like starting threads, is none of a connection's or a request's cost.
                    # In one short round alone it is of no matter.
                    kept_alive(server, "/", connections=16, seconds=min(rounds, _WARM))
                for one in wanted:
                    _alternate(one, servers, rounds, series, say)
    return series


def _alternate(
    one: Measure, servers: Sequence[tuple[Contender, Running]], rounds: int, series: Series, say: Say
) -> None:
    for number in range(1 if one.once else rounds):
        # A B, then B A: whoever comes second finds the machine as warm.
        order = servers if number % 2 == 0 else servers[::-1]
        for (contender, _), values in zip(order, one.of([server for _, server in order]), strict=True):
            for name, value in values.items():
                series[contender.title].setdefault(name, []).append(value)
            say(f"  {one.name:10} {contender.title:40} {values.get(one.name, 0):12.1f}")


def _start_each(comparison: Comparison, authority: CertificateAuthority, folder: Path, series: Series) -> None:
    files = write_pair(authority, folder, "localhost")
    for contender in comparison.contenders:
        with ExitStack() as stack:
            server = _start(stack, contender, comparison.application, files, folder)
            series[contender.title].setdefault("start", []).append(server.started_in)


def _start(stack: ExitStack, contender: Contender, application: str, files: Files, folder: Path) -> Running:
    port = free_port()
    command = contender.command(files, port, application)
    return stack.enter_context(serving(command, port, folder, contender.environment))

"""When a worker of Granian's is no longer fit to serve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.servers import need

need("granian")

from tlsrun.servers.granian.exhaustion import FULL, PARKED, ExhaustionMonitor  # noqa: E402 -- once it is known to be there


class _Pool:
    is_parked = False


def test_what_wears_a_worker_out(tmp_path: Path) -> None:
    """Descriptors or threads that are all taken at five looks in a row; the first reason counts, once."""
    woken: list[None] = []
    with (tmp_path / "file").open("w") as file:
        pool: Any = _Pool()
        monitor = ExhaustionMonitor(lambda: woken.append(None), room=1 << 20)
        for parked in (True, True, True, True, False, True, True, True, True):
            pool.is_parked = parked
            monitor.look([pool], file.fileno())
        assert (monitor.why, woken) == (None, [])
        monitor.look([pool], file.fileno())
        assert (monitor.why, woken) == (PARKED, [None])
        full = ExhaustionMonitor(lambda: woken.append(None), room=3)
        for _ in range(6):
            full.look([], file.fileno())
        assert (full.why, woken) == (FULL, [None, None])

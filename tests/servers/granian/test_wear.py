"""When a worker of Granian's is no longer fit to serve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.servers import need

need("granian")

from tlsrun.servers.granian.wear import FULL, PARKED, Wear  # noqa: E402 -- once it is known to be there


class _Pool:
    is_parked = False


def test_what_wears_a_worker_out(tmp_path: Path) -> None:
    """Descriptors or threads that are all taken at five looks in a row; the first reason counts, once."""
    woken: list[None] = []
    with (tmp_path / "file").open("w") as file:
        pool: Any = _Pool()
        wear = Wear(lambda: woken.append(None), room=1 << 20)
        for parked in (True, True, True, True, False, True, True, True, True):
            pool.is_parked = parked
            wear.look([pool], file.fileno())
        assert (wear.why, woken) == (None, [])
        wear.look([pool], file.fileno())
        assert (wear.why, woken) == (PARKED, [None])
        full = Wear(lambda: woken.append(None), room=3)
        for _ in range(6):
            full.look([], file.fileno())
        assert (full.why, woken) == (FULL, [None, None])

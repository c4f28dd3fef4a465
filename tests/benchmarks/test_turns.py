"""Loads that take turns."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.programs import telling
from benchmarks.turns import go_on, stand_still, take_turns
from tests.support.process import eventually

#: Says when it does not stand still.
_COUNTS = "import threading, time\nwhile True: print(time.monotonic(), flush=True); threading.Event().wait(0.005)"


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.fixture
def sleeper() -> Iterator[int]:
    """A program that leads its group."""
    with subprocess.Popen([sys.executable, "-c", _COUNTS], stdout=subprocess.DEVNULL, start_new_session=True) as one:
        yield one.pid
        one.kill()


def test_a_load_stands_still_and_goes_on(sleeper: int) -> None:
    """As often as it is told."""
    for _ in range(2):
        stand_still([sleeper])
        eventually(lambda: _state(sleeper) == "T", what="a halt")
        go_on([sleeper])
        eventually(lambda: _state(sleeper) != "T", what="its end")


def test_one_at_a_time() -> None:
    """While one goes on the other does nothing, and both have as many turns: A B, B A, A B."""
    tried = []
    while 3 not in tried:
        tried.append(changes())
        # In a turn on a machine that is busy with other things a program may not come to say anything.
        assert tried[-1] <= 3 >= len(tried), tried


def changes() -> int:
    """How often the other one speaks, of two that have three turns each."""
    with ExitStack() as stack:
        loads = [stack.enter_context(telling([sys.executable, "-c", _COUNTS])) for _ in range(2)]
        for load in loads:
            assert load.listen(30)
            stand_still([load.pid])
            load.listen(0)
            load.text = ""
        ran = take_turns([[load.pid] for load in loads], 0.6, turn=0.2)
        for load in loads:
            load.listen(0)
    assert all(0.6 <= seconds < 6 for seconds in ran)
    times = sorted((float(line), number) for number, load in enumerate(loads) for line in load.text.split())
    who = [number for _, number in times]
    return sum(before != after for before, after in zip(who, who[1:], strict=False))

"""Loads of several servers at once, which take turns: one goes on for a moment, while the others stand still.

What else a machine does changes from second to second, and differs by half between two of them. In turns of a fifth of
a second it touches all servers of a comparison alike.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence

#: Seconds.
TURN = 0.2
#: Seconds in which servers end what they had begun for clients that stand still.
_PAUSE = 0.004


def stand_still(load: Sequence[int]) -> None:
    """Stop the programs that lead the given process groups."""
    for pid in load:
        os.killpg(pid, signal.SIGSTOP)


def go_on(load: Sequence[int]) -> None:
    """Let them go on."""
    for pid in load:
        os.killpg(pid, signal.SIGCONT)


def take_turns(loads: Sequence[Sequence[int]], seconds: float, *, turn: float = TURN) -> list[float]:
    """Have each load go on for so long in all; they stand still before, and afterwards.

    Arguments:
        loads: of each, the leaders of its process groups.
        turn: seconds at a time.

    Returns:
        how long each did go on.
    """
    ran, pause = [0.0] * len(loads), threading.Event()
    rounds = max(1, round(seconds / turn))
    for number in range(rounds):
        # A B, then B A: whoever comes second finds the machine as warm.
        for which in range(len(loads)) if number % 2 == 0 else reversed(range(len(loads))):
            began = time.perf_counter()
            go_on(loads[which])
            pause.wait(turn)
            stand_still(loads[which])
            ran[which] += time.perf_counter() - began
            pause.wait(_PAUSE)
    return ran

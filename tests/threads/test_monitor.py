"""Who notices that a turn lasts too long, and who ends it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from tests.support.process import PATIENCE, eventually
from tlsrun.threads import monitor as monitors
from tlsrun.threads.monitor import Monitor


@pytest.fixture
def often() -> Iterator[None]:
    """Threads are switched as often as Python can, so that what is not atomic shows."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@pytest.mark.usefixtures("often")
def test_one_of_two_threads_ends_a_turn() -> None:
    """Of the leader and who takes the lead from it exactly one is told that it leads from then on."""
    monitor = Monitor(lambda turn: True, patience=60)
    together, ended = threading.Barrier(2, timeout=PATIENCE), [0, 0]
    turns = [0]

    def compete(which: int) -> None:
        for _ in range(500):
            if which == 0:
                turns[0] = monitor.begin()
            together.wait()
            ended[which] += monitor.end(turns[0])
            together.wait()

    threads = [threading.Thread(target=compete, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sum(ended) == 500
    assert not monitor.end(turns[0])


def test_a_turn_that_lasts_is_noticed_until_somebody_sees_to_it() -> None:
    """And then no more; neither is one that is over."""
    told: list[int] = []

    def stalled(turn: int) -> bool:
        told.append(turn)
        return len(told) >= 3

    monitor = Monitor(stalled, patience=0.01)
    assert monitor.end(monitor.begin())
    monitor.start()
    long = monitor.begin()
    eventually(lambda: len(told) >= 3)
    monitor.end(long)
    eventually(lambda: not monitor._awake)
    assert told == [long] * 3
    again = monitor.begin()
    eventually(lambda: told[3:])
    assert told[3:] == [again]
    monitor.stop(wait=True)


def test_it_sleeps_while_there_are_no_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle server wakes nobody; the next turn that lasts is noticed all the same, however often that happens."""
    monkeypatch.setattr(monitors, "_IDLE", 0.0)
    noticed = threading.Semaphore(0)

    def stalled(turn: int) -> bool:
        noticed.release()
        return True

    monitor = Monitor(stalled, patience=0.001)
    monitor.start()
    for _ in range(30):
        eventually(lambda: not monitor._awake)
        turn = monitor.begin()
        assert noticed.acquire(timeout=PATIENCE)
        assert monitor.end(turn)
    monitor.stop(wait=True)


def test_what_it_was_told_to_do_fails() -> None:
    """The thread ends, and says why."""

    def stalled(turn: int) -> bool:
        raise OSError("bad descriptor")

    monitor = Monitor(stalled, patience=0.001)
    monitor.start()
    monitor.begin()
    assert str(eventually(lambda: monitor.error)) == "bad descriptor"
    monitor.stop(wait=True)

"""What a supervisor does next, by a table."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tlsrun.forking.decide import PAUSE, START_TIMEOUT, Action, Do, Rules, Seen, Stage, decide

OLD = 60.0


def one(slot: int = 0, **facts: bool) -> Seen:
    return Seen(slot=slot, age=OLD, **facts)


def starting(slot: int, age: float = 1.0, **facts: bool) -> Seen:
    return Seen(slot=slot, age=age, ready=False, **facts)


def done(*actions: tuple[Do, int]) -> list[Action]:
    return [Action(*action) for action in actions]


TWO = Rules(workers=2, slots=2)
LATE = START_TIMEOUT + 1


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param([], done((Do.START, 0)), id="the first is started"),
        pytest.param([starting(0)], [], id="and awaited"),
        pytest.param([one(0)], done((Do.START, 1)), id="before the next one"),
        pytest.param([one(0), one(1)], [], id="until there are all"),
        pytest.param([starting(0, alive=False)], done((Do.FAIL, 0)), id="one that dies before it serves"),
        pytest.param(
            [one(0, alive=False), starting(1)], done((Do.BURY_DEAD, 0), (Do.START, 0)), id="one that has served dies"
        ),
        pytest.param([starting(0, LATE)], done((Do.KILL_UNREADY, 0), (Do.FAIL, 0)), id="one that takes too long"),
    ],
)
def test_a_start(seen: Sequence[Seen], expected: list[Action]) -> None:
    """One worker after the other; what keeps one from its start ends the server."""
    assert decide(Stage.STARTING, seen, TWO) == expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param([one(0), one(1)], [], id="all is well"),
        pytest.param([one(1), one(0, alive=False)], done((Do.BURY_DEAD, 0), (Do.START, 0)), id="one has died"),
        pytest.param([Seen(slot=0, age=PAUSE / 2, alive=False), one(1)], [], id="just after its start"),
        pytest.param([one(0), starting(1, LATE)], done((Do.KILL_UNREADY, 1)), id="one never serves"),
        pytest.param([one(1)], done((Do.START, 0)), id="one could not be started"),
        pytest.param([one(1), one(0, leaving=True)], done((Do.START, 2)), id="its slot is taken by one that leaves"),
        pytest.param([one(0, unwanted=True), one(1)], done((Do.REPLACE, 2)), id="one is to be replaced"),
        pytest.param([one(0, unwanted=True), one(1, unwanted=True)], done((Do.REPLACE, 2)), id="one at a time"),
        pytest.param([one(0, unwanted=True), one(1, unwanted=True), starting(2)], [], id="the next has to wait"),
        pytest.param(
            [one(1, unwanted=True), Seen(slot=2, age=OLD - 1, unwanted=True)],
            done((Do.REPLACE, 3)),
            id="the oldest first",
        ),
        pytest.param([Seen(slot=0, age=PAUSE / 2, unwanted=True), one(1)], [], id="not just after its start"),
        pytest.param([one(0, unwanted=True), one(1), one(2)], done((Do.DISMISS, 0)), id="the new one serves"),
        pytest.param([one(0, leaving=True), one(1), one(2)], [], id="the former one has clients"),
        pytest.param([one(0, leaving=True, late=True), one(1), one(2)], done((Do.KILL_LATE, 0)), id="for too long"),
        pytest.param([one(0, leaving=True, alive=False), one(1), one(2)], done((Do.BURY, 0)), id="it has ended"),
        pytest.param([one(1), one(2, unwanted=True)], done((Do.REPLACE, 0)), id="the slots take turns"),
        pytest.param(
            [one(0, leaving=True), one(1), one(2, unwanted=True)], done((Do.HURRY, 0)), id="there is no free slot"
        ),
        pytest.param(
            [one(0, unwanted=True), one(1), starting(2, alive=False)],
            done((Do.GIVE_UP_REPLACING, 2)),
            id="the new one dies, the former goes on",
        ),
        pytest.param(
            [one(0, unwanted=True), one(1), starting(2, LATE)], done((Do.KILL_UNREADY, 2)), id="the new one hangs"
        ),
        pytest.param(
            [one(0, alive=False), one(1), starting(2)], done((Do.BURY_DEAD, 0)), id="the former dies: the new is there"
        ),
    ],
)
def test_serving(seen: Sequence[Seen], expected: list[Action]) -> None:
    """Who has died or is not wanted is replaced; nobody leaves before somebody serves in his place."""
    assert decide(Stage.SERVING, seen, TWO) == expected


def test_what_could_not_be_replaced_is_left_for_a_while() -> None:
    """A worker that has died is replaced all the same."""
    assert not decide(Stage.SERVING, [one(0, unwanted=True), one(1)], TWO, may_replace=False)
    dead = [one(0, alive=False), one(1)]
    assert decide(Stage.SERVING, dead, TWO, may_replace=False) == done((Do.BURY_DEAD, 0), (Do.START, 0))


def test_a_worker_that_is_not_to_be_replaced() -> None:
    """Its death ends the server."""
    rules = Rules(workers=2, slots=2, respawns=False)
    assert decide(Stage.SERVING, [one(0), one(1, alive=False)], rules) == done((Do.FAIL, 1))


def test_a_stop() -> None:
    """Nobody is started any more; those that have had their time are ended."""
    seen = [one(0), one(1, alive=False), one(2, leaving=True, late=True), one(3, leaving=True, alive=False)]
    over = done((Do.BURY, 3), (Do.BURY, 1))
    assert decide(Stage.STOPPING, seen, TWO) == over
    assert decide(Stage.ENDING, seen, TWO) == [*over, *done((Do.KILL_LATE, 0), (Do.KILL_LATE, 2))]

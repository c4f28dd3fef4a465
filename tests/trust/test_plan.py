"""What is to be done to a store follows from what is wanted, what it holds, and what stands in the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from tlsrun.trust import Goal, Held, Obstacle, Root, StoreAction, decide
from tlsrun.trust.store import Command

ADD: tuple[Command, ...] = (("add", "it"),)
NO_TOOL = Obstacle(reason="no tool", remedy="Install it")
NO_RIGHT = Obstacle(reason="no right", remedy="As root, run", by_hand=True)


@dataclass(frozen=True, kw_only=True)
class Imagined:
    """A store whose state is given with each question."""

    kind: ClassVar[str] = "system"
    title: ClassVar[str] = "a store"
    place: ClassVar[str] = "/somewhere"
    obstacle: Obstacle | None = None

    def held(self, root: Root) -> Held:
        raise AssertionError("deciding reads nothing")

    def add(self, root: Root) -> tuple[Command, ...]:
        return ADD

    def remove(self, root: Root, names: tuple[str, ...]) -> tuple[Command, ...]:
        return (("remove", *names),)


ABSENT, PARTLY, THERE = Held(trusted=False), Held(trusted=False, names=("n",)), Held(trusted=True, names=("n",))
ELSEWHERE, UNKNOWN = Held(trusted=True), Held(trusted=None)
REMOVE: tuple[Command, ...] = (("remove", "n"),)


@pytest.mark.parametrize(
    ("goal", "held", "obstacle", "verdict", "commands"),
    [
        (Goal.TRUST, ABSENT, None, StoreAction.DO, ADD),
        (Goal.TRUST, PARTLY, None, StoreAction.DO, ADD),
        (Goal.TRUST, THERE, None, StoreAction.TRUSTED, ()),
        (Goal.TRUST, THERE, NO_RIGHT, StoreAction.TRUSTED, ()),
        (Goal.TRUST, ABSENT, NO_TOOL, StoreAction.CANNOT, ()),
        (Goal.TRUST, ABSENT, NO_RIGHT, StoreAction.CANNOT, ADD),
        (Goal.TRUST, UNKNOWN, NO_TOOL, StoreAction.CANNOT, ()),
        (Goal.REMOVE, ABSENT, None, StoreAction.ABSENT, ()),
        (Goal.REMOVE, PARTLY, None, StoreAction.DO, REMOVE),
        (Goal.REMOVE, THERE, None, StoreAction.DO, REMOVE),
        (Goal.REMOVE, THERE, NO_RIGHT, StoreAction.CANNOT, REMOVE),
        (Goal.REMOVE, ELSEWHERE, None, StoreAction.CANNOT, ()),
        (Goal.REMOVE, ABSENT, NO_RIGHT, StoreAction.ABSENT, ()),
        (Goal.CHECK, ABSENT, None, StoreAction.ABSENT, ()),
        (Goal.CHECK, PARTLY, NO_RIGHT, StoreAction.ABSENT, ()),
        (Goal.CHECK, THERE, None, StoreAction.TRUSTED, ()),
        (Goal.CHECK, UNKNOWN, NO_TOOL, StoreAction.CANNOT, ()),
    ],
)
def test_table(
    root: Root, goal: Goal, held: Held, obstacle: Obstacle | None, verdict: StoreAction, commands: tuple[Command, ...]
) -> None:
    """Each case; nothing is read or run."""
    task = decide(goal, Imagined(obstacle=obstacle), held, root)
    assert (task.verdict, task.commands) == (verdict, commands)
    if verdict is StoreAction.CANNOT:
        assert task.obstacle is not None

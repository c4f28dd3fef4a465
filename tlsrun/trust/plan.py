"""Decides, purely: from what a store holds and what is wanted to what has to be done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tlsrun.trust.root import Root
from tlsrun.trust.store import Command, Held, Obstacle, TrustStore


class Goal(Enum):
    """What the user wants of the stores."""

    TRUST = "trust"
    REMOVE = "remove"
    CHECK = "check"


class StoreAction(Enum):
    """What is to be done to a store, or why nothing is."""

    TRUSTED = "trusted"
    ABSENT = "absent"
    DO = "do"
    CANNOT = "cannot"


@dataclass(frozen=True, kw_only=True)
class StoreTask:
    """A store, and what is to be done to it.

    Arguments:
        commands: the commands in order; with `StoreAction.CANNOT`, those that the user can type instead.
        obstacle: why it cannot be done from here.
    """

    store: TrustStore
    verdict: StoreAction
    commands: tuple[Command, ...] = ()
    obstacle: Obstacle | None = None


def decide(goal: Goal, store: TrustStore, held: Held, root: Root) -> StoreTask:
    """What ``goal`` requires for ``store``, given what it holds of ``root``."""
    if held.trusted is None and store.obstacle is not None:
        return StoreTask(store=store, verdict=StoreAction.CANNOT, obstacle=store.obstacle)
    if goal is Goal.CHECK:
        return StoreTask(store=store, verdict=StoreAction.TRUSTED if held.trusted else StoreAction.ABSENT)
    if goal is Goal.TRUST:
        if held.trusted:
            return StoreTask(store=store, verdict=StoreAction.TRUSTED)
        return _task(store, store.add(root))
    if held.names:
        return _task(store, store.remove(root, held.names))
    if held.trusted:
        reason = "something else than a file or entry of ours has it trusted"
        elsewhere = Obstacle(reason=reason, remedy="Take it out the way it was put in")
        return StoreTask(store=store, verdict=StoreAction.CANNOT, obstacle=elsewhere)
    return StoreTask(store=store, verdict=StoreAction.ABSENT)


def _task(store: TrustStore, commands: tuple[Command, ...]) -> StoreTask:
    obstacle = store.obstacle
    if obstacle is None:
        return StoreTask(store=store, verdict=StoreAction.DO, commands=commands)
    shown = commands if obstacle.by_hand else ()
    return StoreTask(store=store, verdict=StoreAction.CANNOT, commands=shown, obstacle=obstacle)
